"""The architecture's arrows, checked against scripts/arrows.txt: includes, CMake's DEPS, pure folders.

  scripts/lint.py            prints what goes against them, and every file that is too large
  scripts/lint.py --table    prints the table of docs/ARCHITECTURE.md
  scripts/lint.py --write    writes it there
"""
import collections
import os
import re
import subprocess
import sys

ARROWS = "scripts/arrows.txt"
DOCUMENT = "docs/ARCHITECTURE.md"
BEGIN, END = "<!-- arrows: begin (scripts/lint.py --write) -->", "<!-- arrows: end -->"
CORE = "branch/replication/engine/core.c"
FILE_BYTES_MAX = 300_000
CODE = (".h", ".cc", ".c")
# What a pure folder may not include or name. A mutex is not here: to be used by threads is not to have one.
IMPURE_HEADERS = re.compile(
    r"thread|future|condition_variable|fstream|iostream|filesystem|cstdio|ctime|csignal|unistd\.h"
    r"|fcntl\.h|dirent\.h|poll\.h|sys/.*|netinet/.*|arpa/.*|grpc.*|google/protobuf/.*|bank/v1/.*"
    r"|absl/time/clock\.h|httplib\.h")
IMPURE_NAMES = re.compile(
    r"std::(?:j?thread|async|random_device|getenv|cout|cerr|ofstream|ifstream)\b|_clock::now\(|\bSteadyClock\b"
    r"|absl::(?:Now|SleepFor)\b|\bclock_gettime\b|\btime\(nullptr\)")
INCLUDE = re.compile(r'(?m)^\s*#\s*include\s+(["<])([^">]+)[">]')


class Folder:
    def __init__(self, line, number, above):
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 4:
            sys.exit(f"{ARROWS}:{number}: not 4 fields")
        self.name, self.kind, arrows, self.what = fields
        self.arrows = arrows.split()
        if not re.fullmatch(r"|EDGE|PURE(?: except [\w ]+)?", self.kind):
            sys.exit(f"{ARROWS}:{number}: '{self.kind}' is none of PURE, PURE except NAME, EDGE")
        self.impure = set(self.kind.split()[2:])
        self.headers = [a for a in self.arrows if a.endswith(".h")]
        self.allowed = {self.name, "common"}
        for arrow in self.arrows:
            if arrow in self.headers or arrow == "proto":
                continue
            named = {n for n in above if n == arrow or (arrow.endswith("/*") and n.startswith(arrow[:-1]))}
            if not named:
                sys.exit(f"{ARROWS}:{number}: {self.name} may include {arrow}, which no line above is about")
            self.allowed |= named
        self.proto = "proto" in self.arrows or self.name == "tests"

    def may_include(self, path, folder):
        return path in self.headers or (folder is not None and folder.name in self.allowed)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def read_arrows():
    folders = {}
    for number, line in enumerate(read(ARROWS).split("\n"), 1):
        if line.strip() and not line.startswith("#"):
            folder = Folder(line, number, folders)
            folders[folder.name] = folder
    return folders


def folder_of(path, folders):
    parts = path.split("/")
    for length in range(len(parts) - 1, 0, -1):
        if "/".join(parts[:length]) in folders:
            return folders["/".join(parts[:length])]
    return None


def check_includes(files, folders):
    used = collections.defaultdict(set)
    for path in files:
        own = folder_of(path, folders)
        if own is None:
            yield f"{path}: its folder has no line in {ARROWS}"
            continue
        pure = own.kind.startswith("PURE") and os.path.basename(path).split(".")[0] not in own.impure
        for number, line in enumerate(read(path).split("\n"), 1):
            include = INCLUDE.match(line)
            if not include:
                name = IMPURE_NAMES.search(line.split("//")[0]) if pure else None
                if name:
                    yield f"{path}:{number}: {own.name} is pure and may not use {name.group(0)}"
                continue
            quote, target = include.groups()
            if target == "raft.h" and path != CORE:
                yield f"{path}:{number}: only {CORE} includes <raft.h>"
            if pure and IMPURE_HEADERS.fullmatch(target):
                yield f"{path}:{number}: {own.name} is pure and may not include {target}"
            if target.startswith("bank/v1/"):
                if not own.proto:
                    yield f"{path}:{number}: {own.name} may not include {target}"
                continue
            other = folder_of(target, folders) if quote == '"' else None
            if other is None:
                continue
            if not own.may_include(target, other):
                yield f"{path}:{number}: {own.name} may not include {target}"
            used[own.name] |= {other.name, target}
    for folder in folders.values():
        for arrow in folder.arrows:
            if not arrow.endswith("/*") and arrow != "proto" and arrow not in used[folder.name] \
                    and folder.name != "tests":
                yield f"{ARROWS}: {folder.name} -> {arrow}: nobody needs this arrow"


def read_targets(lists):
    """Target -> (function, sources, dependencies), of the calls of bank_library and its like."""
    targets = {}
    for path in lists:
        text = re.sub(r"(?m)#.*$", "", read(path))
        for function, body in re.findall(r"\b(bank_library|bank_program|bank_test)\(([^)]*)\)", text):
            words, key, found = body.split(), None, {"SOURCES": [], "DEPS": []}
            for word in words[1:]:
                if word.isupper() and word.replace("_", "").isalpha():
                    key = word
                elif key in found:
                    found[key].append(word)
            home = os.path.dirname(path)
            sources = [f"{home}/{s}" for s in found["SOURCES"] if not s.startswith("${")]
            targets[words[0]] = (home, function, sources, found["DEPS"])
    return targets


def check_targets(files, lists, folders):
    targets = read_targets(lists)
    present = set(files)
    owner = {}
    for name, (_, function, sources, _) in targets.items():
        for source in sources:
            if source in owner:
                yield f"{source}: belongs to {owner[source]} and to {name}"
            if function == "bank_library":
                owner[source] = name
    homes = collections.defaultdict(list)
    for name, (home, function, sources, _) in targets.items():
        if function == "bank_library":
            for folder in {os.path.dirname(s) for s in sources} or {home}:
                homes[folder].append(name)

    def owner_of(header):
        base = os.path.splitext(header)[0]
        for extension in (".cc", ".c"):
            if base + extension in owner:
                return {owner[base + extension]}
        # A header by itself: of any target of its folder. Those of tests belong to whoever includes them.
        return set() if header.startswith("tests/") else set(homes[os.path.dirname(header)])

    def reach(name, seen):
        for dependency in targets[name][3]:
            if dependency not in seen:
                seen.add(dependency)
                if dependency in targets:
                    reach(dependency, seen)
        return seen

    for name, (home, function, sources, dependencies) in targets.items():
        place = f"{home}/CMakeLists.txt: {name}"
        known = reach(name, {name})
        own = folder_of(sources[0] if sources else home + "/", folders)
        for dependency in dependencies:
            if dependency not in targets or own is None or own.name == "tests":
                continue
            other_home, _, other_sources, _ = targets[dependency]
            other = folder_of(other_sources[0] if other_sources else other_home + "/", folders)
            headers = {h for h in own.headers if dependency in owner_of(h)}
            if other is not None and other.name not in own.allowed and not headers:
                yield f"{place}: {own.name} may not depend on {dependency} ({other.name})"
        todo, seen = list(sources), set()
        while todo:
            path = todo.pop()
            if path in seen or path not in present:
                continue
            seen.add(path)
            for _, target in INCLUDE.findall(read(path)):
                if target not in present:
                    continue
                owners = owner_of(target)
                if not owners or name in owners:
                    todo.append(target)
                elif not owners & known:
                    yield f"{place}: includes {target}, but DEPS lacks {' or '.join(sorted(owners))}"


def table(folders):
    lines = [BEGIN, "| Folder | Kind | May include, besides itself and `common/` | What it is |", "|---|---|---|---|"]
    for folder in folders.values():
        if folder.name == "tests":
            continue
        arrows = ", ".join(a.removeprefix("branch/") if folder.name.startswith("branch/") and a != "branch/*"
                           else a for a in folder.arrows)
        lines.append(f"| `{folder.name}/` | {folder.kind} | {arrows} | {folder.what} |")
    return "\n".join(lines + [END])


def check_document(folders):
    text = read(DOCUMENT)
    if BEGIN not in text or END not in text:
        yield f"{DOCUMENT}: has no table of arrows"
    elif text[text.index(BEGIN):text.index(END) + len(END)] != table(folders):
        yield f"{DOCUMENT}: its table is not that of {ARROWS}; scripts/lint.py --write"


def main():
    folders = read_arrows()
    if "--help" in sys.argv[1:] or "-h" in sys.argv[1:]:
        print(__doc__.strip())
        return 0
    if "--table" in sys.argv[1:]:
        print(table(folders))
        return 0
    if "--write" in sys.argv[1:]:
        text = read(DOCUMENT)
        text = text[:text.index(BEGIN)] + table(folders) + text[text.index(END) + len(END):]
        with open(DOCUMENT, "w", encoding="utf-8") as file:
            file.write(text)
        return 0
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                            check=True, capture_output=True, text=True).stdout.split("\n")
    listed = [path for path in listed if os.path.isfile(path)]
    code = [path for path in listed if path.endswith(CODE)]
    lists = [path for path in listed if os.path.basename(path) == "CMakeLists.txt"]
    problems = [f"{path}: {os.path.getsize(path)} bytes; at most {FILE_BYTES_MAX}"
                for path in listed if os.path.getsize(path) > FILE_BYTES_MAX]
    problems += check_includes(code, folders)
    problems += check_targets(code, lists, folders)
    problems += check_document(folders)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


sys.exit(main())

"""The architecture's arrows, checked: which folder may include which."""
import os
import re
import subprocess
import sys

# Folder -> folders it may include besides itself and common/. Longest prefix wins.
ARROWS = {
    "common": [],
    "net": [],
    "branch/ledger": [],
    "branch/storage": [],
    "branch/replication": ["branch/ledger", "branch/storage"],
    "branch/teller": ["branch/ledger", "branch/replication"],
    "branch/peers": ["branch/replication", "branch/storage", "branch/ledger", "bank/v1", "net"],
    "branch/monitor": ["branch/ledger", "branch/replication"],
    "branch/command": ["branch/monitor", "branch/ledger", "branch/replication", "branch/storage"],
    "branch/command/wire": ["branch/command", "branch/monitor", "bank/v1"],
    "branch/agent": ["branch/command", "branch/monitor", "branch/ledger", "branch/replication",
                     "bank/v1", "net"],
    "branch/console": ["branch/monitor", "branch/ledger", "branch/replication", "net"],
    "branch/rpc": ["branch/command", "branch/monitor", "branch/agent", "branch/ledger",
                   "branch/teller", "branch/replication", "bank/v1", "net"],
    "branch/node": ["branch", "bank/v1", "net"],
    "customer/script": [],
    "customer/history": [],
    "customer/client": ["customer/history", "customer/script", "bank/v1", "net"],
    "customer/load": ["customer", "bank/v1", "net"],
    "customer": ["customer", "bank/v1", "net"],
    "checker": [],
    "bankctl": ["branch/command", "bank/v1", "net"],
    "bench": ["customer", "bank/v1", "net"],
    "tests": ["branch", "customer", "checker", "bankctl", "net", "bank/v1", "tests"],
}
# Folders without gRPC or protobuf: decisions are made in pure code.
PURE = ["common", "branch/ledger", "branch/storage", "branch/teller", "branch/replication",
        "branch/monitor", "branch/command", "customer/script", "customer/history", "checker"]
FILE_BYTES_MAX = 300_000


def folder_of(path, table):
    parts = path.split("/")
    for length in range(len(parts) - 1, 0, -1):
        prefix = "/".join(parts[:length])
        if prefix in table:
            return prefix
    return None


def within(path, folder):
    return path.startswith(folder + "/")


def main():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                            check=True, capture_output=True, text=True).stdout.split("\n")
    problems = []
    for path in filter(os.path.isfile, listed):
        if os.path.getsize(path) > FILE_BYTES_MAX:
            problems.append(f"{path}: {os.path.getsize(path)} bytes; at most {FILE_BYTES_MAX}")
        if not path.endswith((".h", ".cc", ".c")):
            continue
        own = folder_of(path, ARROWS)
        if own is None:
            problems.append(f"{path}: its folder has no arrows in scripts/lint.py")
            continue
        with open(path, encoding="utf-8") as source:
            for number, line in enumerate(source, 1):
                include = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', line)
                if not include:
                    continue
                target = include.group(1)
                if target == "raft.h" and path != "branch/replication/raft/core.c":
                    problems.append(f"{path}:{number}: only branch/replication/raft/core.c includes <raft.h>")
                if own in PURE and target.startswith(("grpc", "google/protobuf", "bank/v1/")):
                    problems.append(f"{path}:{number}: {own} is pure and may not include {target}")
                known = target.startswith("bank/v1/") or folder_of(target, ARROWS)
                if not known or within(target, own) or within(target, "common"):
                    continue
                if not any(within(target, allowed) for allowed in ARROWS[own]):
                    problems.append(f"{path}:{number}: {own} may not include {target}")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


sys.exit(main())

#!/usr/bin/env python3
"""Guards of the engine: what the simulation finds when one of them is off.

Gives each guard of docs/ENGINE.md to the release build's simulation, switched off, with seeds from 1 on until one
fails; then once more over a transport that lets messages overtake each other and come twice, in which the first
failure of a bank with all its guards is looked for too. Every guard has a unit test of its name as well.
PLANS says how many seeds a guard gets, if not 1000, and what the simulation cannot reach.

  tests/planted/guards.py                 all guards
  tests/planted/guards.py --guard 6 16    some
  tests/planted/guards.py --record        also writes the table of docs/TESTING.md (all guards)
"""
import argparse
import concurrent.futures
import dataclasses
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIMULATE = ROOT / "build/release/tests/simulate"
PAGE = ROOT / "docs/TESTING.md"
MARKS = ("<!-- guards: begin (tests/planted/guards.py --record) -->", "<!-- guards: end -->")
MESSAGE_CHARACTERS_MAX = 110


@dataclasses.dataclass
class Plan:
    seeds: int = 1000
    reordered_seeds: int = 1000
    also_off: tuple = ()  # guards that mend the same fault in another place
    remark: str = ""  # what is to be said of it if it is not seen


PLANS = {
    3: Plan(remark="known from reading the engine alone"),
    4: Plan(remark="known from reading the engine alone"),
    5: Plan(remark="takes messages that come twice"),
    8: Plan(remark="out of reach: no branch becomes a spare"),
    10: Plan(remark="out of reach: the driver asks for no such catch-up"),
    16: Plan(seeds=3000),
    17: Plan(seeds=3000, also_off=(20,)),
    19: Plan(remark="out of reach: no simulated branch makes up bytes; `tests/fuzz` does"),
    20: Plan(seeds=3000),
}


def read_guards():
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", (ROOT / "docs/ENGINE.md").read_text(), re.MULTILINE)
    assert rows, "docs/ENGINE.md has no table of guards"
    return [(int(number), what.strip()) for number, what in rows]


def unit_tests():
    tests = {}
    for path in sorted((ROOT / "tests/unit/replication").rglob("*_test.cc")):
        for number, name in re.findall(r"^TEST\(Guard(\d+)\w*, (\w+)\)", path.read_text(), re.MULTILINE):
            tests.setdefault(int(number), name)
    return tests


def find(seeds, flags, remark):
    """What the simulation says of the first seed that fails, or that none of them does."""
    done = subprocess.run([str(SIMULATE), "--seeds", f"1..{seeds}", *flags], capture_output=True, text=True, errors="replace")
    if done.returncode not in (0, 6):
        sys.exit(f"the simulation ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
    failed = re.search(r"^FAILED  simulate --seed (\d+)[^:]*: (.*)$", done.stdout, re.MULTILINE)
    if failed is None:
        return f"not in {seeds:,} seeds" + (f" ({remark})" if remark else "")
    message = failed.group(2).split(";")[0]
    if len(message) > MESSAGE_CHARACTERS_MAX:
        message = message[:MESSAGE_CHARACTERS_MAX].rsplit(" ", 1)[0] + " ..."
    return f"seed {failed.group(1)}: {message}".replace("|", "\\|")


def write_table(lines):
    text = PAGE.read_text()
    if any(mark not in text for mark in MARKS):
        sys.exit(f"{PAGE} has no place for the table: {MARKS[0]}")
    before, _, rest = text.partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    PAGE.write_text(before + MARKS[0] + "\n\n" + "\n".join(lines) + "\n\n" + MARKS[1] + after)


def row(number, what, tests):
    plan = PLANS.get(number, Plan())
    off = [number, *plan.also_off] if number else []
    flags = ["--without-guard", *map(str, off)] if off else []
    found = find(plan.seeds, flags, plan.remark)
    reordered = find(plan.reordered_seeds, [*flags, "--reordering"], plan.remark)
    name = f"Guard{number}.{tests[number]}" if number in tests else "none" if number else ""
    return f"| {' and '.join(map(str, off)) or '-'} | {what} | {found} | {reordered} | {name} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guard", type=int, nargs="+", help="these alone; 0: with all of them on")
    parser.add_argument("--jobs", type=int, default=2, help="simulations at a time (2)")
    parser.add_argument("--record", action="store_true", help="write the table of docs/TESTING.md")
    options = parser.parse_args()
    if options.record and options.guard:
        parser.error("--record is for all guards")
    lines = [f"{time.strftime('%Y-%m-%d')}; seeds from 1 on, until one fails", "",
             "| Guard off | Without it | Found by the simulation | With messages out of order and repeated | Unit test |",
             "|---|---|---|---|---|"]
    tests = unit_tests()
    guards = [(0, "none is off"), *read_guards()]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for line in pool.map(lambda guard: row(*guard, tests),
                             [guard for guard in guards if not options.guard or guard[0] in options.guard]):
            lines.append(line)
            print(line, flush=True)
    if options.record:
        write_table(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())

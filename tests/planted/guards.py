#!/usr/bin/env python3
"""Guards of the engine: what the simulation finds when one of them is off.

Gives each guard of docs/ENGINE.md to the release build's simulation, switched off, with seeds from 1 on until one
fails; then once more over a transport that lets messages overtake each other and come twice, in which the first
failure of a bank with all its guards is looked for too. Every guard has a unit test of its name as well.

  tests/planted/guards.py                 all guards
  tests/planted/guards.py --seeds 2000    how many seeds at most (1000)
  tests/planted/guards.py --record        also writes the table of docs/TESTING.md
"""
import argparse
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


def read_guards():
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", (ROOT / "docs/ENGINE.md").read_text(), re.MULTILINE)
    assert rows, "docs/ENGINE.md has no table of guards"
    return [(int(number), what.strip()) for number, what in rows]


def unit_tests():
    tests = {}
    for path in sorted((ROOT / "tests/unit/raft").glob("*_test.cc")):
        for number, name in re.findall(r"^TEST\(Guard(\d+)\w*, (\w+)\)", path.read_text(), re.MULTILINE):
            tests.setdefault(int(number), name)
    return tests


def find(seeds, flags):
    """(seed, what the simulation says) of the first seed that fails, or None."""
    done = subprocess.run([str(SIMULATE), "--seeds", f"1..{seeds}", *flags], capture_output=True, text=True, errors="replace")
    if done.returncode not in (0, 6):
        sys.exit(f"the simulation ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
    failed = re.search(r"^FAILED  simulate --seed (\d+)[^:]*: (.*)$", done.stdout, re.MULTILINE)
    if failed is None:
        return None
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1000, help="the simulation's seeds, from 1 on (1000)")
    parser.add_argument("--record", action="store_true", help="write the table of docs/TESTING.md")
    options = parser.parse_args()
    lines = [f"{time.strftime('%Y-%m-%d')}, seeds 1 to {options.seeds}", "",
             "| Guard off | Without it | Found by the simulation | With messages out of order and repeated | Unit test |",
             "|---|---|---|---|---|"]
    tests = unit_tests()
    for number, what in [(0, "none is off"), *read_guards()]:
        flags = ["--without-guard", str(number)] if number else []
        found = find(options.seeds, flags) or "not seen"
        reordered = find(options.seeds, [*flags, "--reordering"]) or "not seen"
        name = f"Guard{number}.{tests[number]}" if number in tests else "none" if number else ""
        lines.append(f"| {number or '-'} | {what} | {found} | {reordered} | {name} |")
        print(lines[-1], flush=True)
    if options.record:
        write_table(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Planted bugs: the suite must catch each bug of common/planted.h.

Builds the preset `planted`, checks that everything passes while no bug is chosen, then gives each bug
to the test programs, cheapest first, until one of them fails, and to the simulation; what the simulation
does not see goes to real processes under faults. A bug that nothing catches makes this exit with 1.

  tests/planted/run.py                          all bugs
  tests/planted/run.py --bug overdraft no_dedup some
  tests/planted/run.py --list
  tests/planted/run.py --record                 also writes their rows of the table of docs/TESTING.md
"""
import argparse
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/planted"
PAGE = ROOT / "docs/TESTING.md"
MARKS = ("<!-- planted bugs: begin (tests/planted/run.py --record) -->", "<!-- planted bugs: end -->")

# GoogleTest programs that run the code the bugs are in, cheapest first.
PROGRAMS = ["ledger_scripts", "replication_driver_test", "teller_test", "ledger_test", "memory_replicator_contract", "storage_test",
            "customer_client_test", "replication_test", "raft_replicator_contract"]
# For what the simulation, which has its own customers and disk queue, does not see: tests/fault/scenarios.
SCENARIOS = ["torn-write", "impatient-customers", "replay-through-faults", "storm"]
SCENARIO_TARGETS = ["branch", "customer", "checker", "bankctl"]
TIMEOUT_S = 300
MESSAGE_CHARACTERS_MAX = 120


@dataclasses.dataclass
class Bug:
    name: str  # as in BANK_PLANTED_BUG
    what: str


def read_bugs():
    text = (ROOT / "common/planted.h").read_text()
    whats = re.findall(r"^  k\w+, +// (.*)$", text, re.MULTILINE)
    names = re.findall(r'^    "(\w+)",$', text, re.MULTILINE)
    assert names and len(names) == len(whats), "common/planted.h is not laid out as this script reads it"
    return [Bug(name, what) for name, what in zip(names, whats)]


def build(targets):
    for command in (["cmake", "--preset", "planted"], ["ninja", "-C", str(BUILD), *targets]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-4000:]}")


def call(command, bug):
    """Runs a program with `bug` (or none) planted. Returns (passed, all it printed)."""
    environment = {**os.environ, "BANK_PLANTED_BUG": bug.name if bug else "", "BANK_BIN": str(BUILD / "bin")}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, timeout=TIMEOUT_S, text=True, errors="replace",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode == 0, done.stdout
    except subprocess.TimeoutExpired as late:
        return False, (late.stdout or b"").decode(errors="replace") + f"\nno end in {TIMEOUT_S} s\n"


def find_failing_test(program, bug):
    """The name of the first GoogleTest of `program` that fails, or None."""
    path = str(BUILD / "tests" / program)
    passed, output = call([path, "--gtest_fail_fast"], bug)
    if passed:
        return None
    failed = re.search(r"^\[  FAILED  \] ([\w/]+\.[\w/]+)", output, re.MULTILINE)
    begun = re.findall(r"^\[ RUN      \] (\S+)", output, re.MULTILINE)  # the process ended inside the last one
    test = failed.group(1) if failed else begun[-1] if begun else None
    if test is None:
        sys.exit(f"{program} failed before its first test:\n{output[-2000:]}")
    if bug and not call([path, f"--gtest_filter={test}"], None)[0]:
        sys.exit(f"{program} {test} fails without a bug, too")
    return test


@dataclasses.dataclass
class Violation:
    seed: int  # seeds are tried from 1 on: also how many it took
    message: str


def find_violation(seeds, bug):
    passed, output = call([str(BUILD / "tests/simulate"), "--seeds", f"1..{seeds}"], bug)
    if passed:
        return None
    failed = re.search(r"^FAILED  simulate --seed (\d+)[^:]*: (.*)$", output, re.MULTILINE)
    if failed is None:
        sys.exit(f"the simulation ended without naming a seed:\n{output[-2000:]}")
    message = failed.group(2)
    check = re.findall(r": check failed: (.*)$", output, re.MULTILINE)
    return Violation(int(failed.group(1)), f"check failed: {check[-1]}" if check else message)


def find_failing_scenario(bug):
    build(SCENARIO_TARGETS)
    for scenario in SCENARIOS:
        command = ["/usr/bin/python3", "tests/fault/run.py", scenario]
        passed, output = call(command, bug)
        # Twice: on a busy machine a deadline may pass by itself.
        if not passed and not call(command, bug)[0]:
            if not call(command, None)[0]:
                sys.exit(f"{' '.join(command)} fails without a bug, too")
            problem = re.search(r"FAILED \([\d.]+ s\)\n(.*)$", output, re.MULTILINE)
            return f"`{scenario}`: {problem.group(1) if problem else 'failed'}"
    return None


@dataclasses.dataclass
class Result:
    bug: Bug
    test: str | None  # program and test
    violation: Violation | None
    scenario: str | None  # tried only without a violation

    @property
    def caught(self):
        return self.test or self.violation or self.scenario

    @property
    def end_to_end(self):
        if self.violation:
            return f"seed {self.violation.seed}: {self.violation.message}"
        return self.scenario or "not seen"


def examine(bug, seeds):
    test = None
    for program in PROGRAMS:
        if name := find_failing_test(program, bug):
            test = f"`{program}` {name}"
            break
    violation = find_violation(seeds, bug)
    return Result(bug, test, violation, None if violation else find_failing_scenario(bug))


def verify_clean(seeds):
    for program in PROGRAMS:
        if test := find_failing_test(program, None):
            sys.exit(f"{program} {test} fails without a bug")
    if violation := find_violation(seeds, None):
        sys.exit(f"simulate --seed {violation.seed} fails without a bug: {violation.message}")


def shorten(message):
    if len(message) > MESSAGE_CHARACTERS_MAX:
        message = message[:MESSAGE_CHARACTERS_MAX].rsplit(" ", 1)[0] + " ..."
    return message.replace("|", "\\|")


def write_table(results, bugs, seeds):
    """Rows of other bugs stay as they are."""
    text = PAGE.read_text()
    if any(mark not in text for mark in MARKS):
        sys.exit(f"{PAGE} has no place for the table: {MARKS[0]}")
    before, _, rest = text.partition(MARKS[0])
    table, _, after = rest.partition(MARKS[1])
    names = [bug.name for bug in bugs]
    rows = {name: line for line in table.splitlines() if (name := line.split(" | ")[0].removeprefix("| ")) in names}
    for result in results:
        found = shorten(result.end_to_end)
        rows[result.bug.name] = (f"| {result.bug.name} | {result.bug.what} | {result.test or 'none'} | {found} "
                                 f"| {time.strftime('%Y-%m-%d')}, seeds 1 to {seeds} |")
    lines = ["| Bug | What is wrong | First test that fails | Simulation: seeds needed, and what it says; else a scenario | Last run |",
             "|---|---|---|---|---|", *[rows[name] for name in names if name in rows]]
    PAGE.write_text(before + MARKS[0] + "\n\n" + "\n".join(lines) + "\n\n" + MARKS[1] + after)


def main():
    bugs = read_bugs()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bug", nargs="+", metavar="NAME", choices=[bug.name for bug in bugs], help="only these")
    parser.add_argument("--seeds", type=int, default=1000, help="the simulation's seeds, from 1 on (1000)")
    parser.add_argument("--list", action="store_true", help="name the bugs and do nothing")
    parser.add_argument("--record", action="store_true", help="write their rows of the table of docs/TESTING.md")
    options = parser.parse_args()
    if options.list:
        for bug in bugs:
            print(f"{bug.name:26} {bug.what}")
        return 0

    print("building build/planted", flush=True)
    build([*PROGRAMS, "simulate"])
    print(f"without a bug: test programs and {options.seeds} seeds ...", end=" ", flush=True)
    verify_clean(options.seeds)
    print("all pass", flush=True)
    results = []
    for bug in bugs:
        if options.bug and bug.name not in options.bug:
            continue
        began = time.monotonic()
        result = examine(bug, options.seeds)
        results.append(result)
        print(f"{bug.name:26} {result.test or 'no test'}; {result.end_to_end} ({time.monotonic() - began:.0f} s)", flush=True)
    if options.record:
        write_table(results, bugs, options.seeds)
    missed = [result.bug.name for result in results if not result.caught]
    print(f"{len(results) - len(missed)} of {len(results)} bugs caught" + (f"; NOT {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

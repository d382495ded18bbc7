#!/usr/bin/python3
"""Faults on real branch processes, under load: each scenario is one small file.

A scenario starts a bank and customers, does its steps, heals, requires progress through every branch,
stops the customers, and lets the checker judge their histories and the branches' digests.

  tests/fault/run.py                       all scenarios
  tests/fault/run.py kill-leader pause-*   some
  tests/fault/run.py --seed 7 --repeat 5 storm
  tests/fault/run.py --minutes 30 'mixture*' again and again, with the next seed each time
  tests/fault/run.py --record [NAME ...]   also writes their rows of the table of docs/TESTING.md

The steps are described in tests/fault/README.md.
"""
import argparse
import fnmatch
import pathlib
import random
import shlex
import subprocess
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bank  # noqa: E402
from steps import Steps  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SCENARIOS = HERE / "scenarios"
MARKS = ("<!-- fault table: begin (tests/fault/run.py --record) -->", "<!-- fault table: end -->")


class Scenario:
    """fault, expected: one line each for the table; bank, load: settings; steps: what happens."""

    def __init__(self, path):
        self.name = path.stem
        self.settings = {"fault": "", "expected": "", "bank": "", "load": ""}
        self.steps = []
        for number, line in enumerate(path.read_text().splitlines(), 1):
            line = line.split("#", 1)[0].rstrip()
            key, _, value = line.partition(":")
            if not line:
                continue
            if line == "steps:":
                continue
            if key in self.settings:
                self.settings[key] = value.strip()
            elif line.startswith("  "):
                self.steps.append((number, shlex.split(line)))
            else:
                raise SystemExit(f"{path}:{number}: neither a setting nor an indented step: {line}")


def last_lines(text, count=12):
    return "\n".join(text.strip().splitlines()[-count:])


def run(scenario, seed, keep):
    """Returns (problem or None, figures)."""
    print(f"{scenario.name} (seed {seed}) ...", end=" ", flush=True)
    began = time.monotonic()
    steps = Steps(scenario.settings, random.Random(f"{scenario.name}-{seed}"), seed)
    problem, figures = None, {}
    try:
        steps.begin()
        for number, words in scenario.steps:
            steps.where = f"{scenario.name}:{number}: {' '.join(words)}"
            steps.do(words)
        steps.where = f"{scenario.name}: after the steps"
        figures = steps.finish()
    except Exception as error:  # a scenario reports whatever went wrong in it
        problem = f"{steps.where}: {error or type(error).__name__}"
        if not isinstance(error, (AssertionError, RuntimeError, subprocess.TimeoutExpired)):
            problem += "\n" + traceback.format_exc()
        problem += "\n" + last_lines(steps.bank.logs(), 40)
    finally:
        steps.end(keep or problem is not None)
    print("ok" if problem is None else "FAILED", f"({time.monotonic() - began:.1f} s)", flush=True)
    if problem:
        print(problem + f"\nfolder: {steps.bank.folder}", flush=True)
    return problem, figures


def write_row(scenario, seeds, problem, figures):
    """Puts one result into the table of docs/TESTING.md; rows of other scenarios stay as they are."""
    page = bank.ROOT / "docs/TESTING.md"
    text = page.read_text()
    if MARKS[0] not in text:
        text += f"\n{MARKS[0]}\n{MARKS[1]}\n"
    before, _, rest = text.partition(MARKS[0])
    table, _, after = rest.partition(MARKS[1])
    rows = {line.split("`")[1]: line for line in table.splitlines() if line.startswith("| `")}
    today = time.strftime("%Y-%m-%d")
    rate = f"{figures['rate']:,.0f}/s, {figures['p99_ms']:,.1f} ms" if figures.get("rate") else ""
    result = f"{'ok' if problem is None else 'FAILED'} {today}, seed {seeds}"
    settings = scenario.settings
    rows[scenario.name] = f"| `{scenario.name}` | {settings['fault']} | {settings['expected']} | {result} | {rate} |"
    lines = ["| scenario | fault | expected | last result | operations/s and p99 while it lasted |", "|---|---|---|---|---|"]
    lines += [rows[name] for name in sorted(rows) if (SCENARIOS / f"{name}.txt").exists()]
    page.write_text(before + MARKS[0] + "\n\n" + "\n".join(lines) + "\n\n" + MARKS[1] + after)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["*"], metavar="NAME", help="names or patterns of scenarios")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=1, help="seeds to run each with, from --seed on")
    parser.add_argument("--minutes", type=float, default=0, help="instead: repeat all of them until so much time is over")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--keep", action="store_true", help="keep the folders of runs that passed, too")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()

    everything = [Scenario(path) for path in sorted(SCENARIOS.glob("*.txt"))]
    chosen = [s for s in everything if any(fnmatch.fnmatch(s.name, name) for name in options.names)]
    if not chosen:
        sys.exit(f"no scenario matches {' '.join(options.names)}; there are: {' '.join(s.name for s in everything)}")
    if options.list:
        for scenario in chosen:
            print(f"{scenario.name:32} {scenario.settings['fault']}")
        return 0

    end = time.monotonic() + 60 * options.minutes
    problems = {}
    seed = options.seed
    while seed < options.seed + options.repeat or time.monotonic() < end:
        seeds = f"{seed}" if seed == options.seed else f"{options.seed} to {seed}"
        for scenario in chosen:
            trouble, figures = run(scenario, seed, options.keep)
            problems[scenario.name] = problems.get(scenario.name) or trouble
            if options.record:
                write_row(scenario, seeds, problems[scenario.name], figures)
        seed += 1
    failed = sum(problem is not None for problem in problems.values())
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

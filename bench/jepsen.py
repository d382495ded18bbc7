#!/usr/bin/python3
"""Measures how the checker judges histories of Jepsen's workloads, right ones and wrong ones.

  bench/jepsen.py build/release/bin/checker            # all sets, a row for each
  bench/jepsen.py build/release/bin/checker --count 3  # fewer histories of each

Times are of the whole process, reading included.
"""
import argparse
import collections
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "support"))
import jepsen_history  # noqa: E402

SETS = [  # histories, and how they are made
    (200, "bank --operations 200 --processes 5 --accounts 5"),
    (200, "bank --operations 200 --unknown 0.05"),
    (100, "bank --operations 300 --processes 20 --accounts 5 --unknown 0.05"),
    (100, "bank --operations 400 --accounts 6 --unknown 0.05 --reads 0.1"),
    (100, "bank --operations 300 --accounts 5 --balance 3 --unknown 0.05"),
    (12, "bank --operations 5000 --processes 20 --unknown 0.01"),
    (12, "bank --operations 5000 --processes 20 --unknown 0.05"),
    (12, "bank --operations 5000 --processes 20 --accounts 5"),
    (4, "bank --operations 20000 --processes 20 --accounts 10 --unknown 0.01"),
    (20, "register --operations 2000 --processes 20"),
    (4, "register --operations 20000 --processes 20 --keys 20"),
    (48, "bank --operations 200 --processes 5 --accounts 5 --wrong"),
    (24, "bank --operations 300 --processes 20 --accounts 5 --unknown 0.05 --wrong"),
    (12, "bank --operations 5000 --processes 20 --unknown 0.01 --wrong"),
    (20, "register --operations 2000 --processes 20 --wrong"),
]
VERDICTS = {0: "consistent", 4: "undecided", 6: "inconsistent"}


def judge(checker, path):
    """Verdict, seconds, megabytes."""
    begin = time.monotonic()
    process = subprocess.Popen([checker, path], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return VERDICTS.get(code, "exit %d" % code), time.monotonic() - begin, usage.ru_maxrss // 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checker")
    parser.add_argument("--count", type=int, default=sys.maxsize, help="histories of each set, at most")
    options = parser.parse_args()
    print("| Histories | Verdicts | Median | Worst | Peak memory |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "history.edn")
        for count, how in SETS:
            results = []
            for seed in range(1, min(count, options.count) + 1):
                words = how.split() + ["--seed", str(seed)]
                if "--wrong" in words:
                    bugs = [bug for bug in jepsen_history.BUGS if "bank" in words or bug != "double"]
                    words.insert(words.index("--wrong") + 1, bugs[seed % len(bugs)])
                pathlib.Path(path).write_text(jepsen_history.history(words))
                results.append(judge(options.checker, path))
            verdicts = collections.Counter(verdict for verdict, _, _ in results)
            seconds = sorted(second for _, second, _ in results)
            print("| %d x `%s` | %s | %.2f s | %.2f s | %d MB |"
                  % (len(results), how, ", ".join("%d %s" % (n, v) for v, n in verdicts.items()),
                     seconds[len(seconds) // 2], seconds[-1], max(memory for _, _, memory in results)), flush=True)


if __name__ == "__main__":
    main()

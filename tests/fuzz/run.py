#!/usr/bin/env python3
"""Fuzzes parsers of bytes from outside with libFuzzer (clang; scripts/install.sh --tests).

  tests/fuzz/run.py                          120 s for each target, two at a time
  tests/fuzz/run.py --seconds 600 script     one of them, for longer
  tests/fuzz/run.py --smoke                  60 s for all together: what `ctest -L fuzz` runs

Builds the preset `fuzz` first (not with --smoke). Begins with the committed corpus and the seeds of
the encoders; what a run finds new stays in build/fuzz/corpus for the next one, and an input that
breaks a promise in build/fuzz/findings. Exits 1 if there is one, 77 if --smoke finds nothing built.

The smoke is the same on every machine, as far as that one comes: it keeps to one seed and takes
nothing from earlier runs. So it says whether a change broke a parser; the search for what nobody
has seen yet is the run without --smoke, with another seed each time.
"""

import argparse
import concurrent.futures
import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/fuzz"
FUZZER = BUILD / "tests/fuzzer"
COMMITTED = ROOT / "tests/fuzz/corpus"
SMOKE_SECONDS = 60
SMOKE_SEED = 1
SKIPPED = 77
INPUT_BYTES_MAX = 4096


def targets():
    answer = subprocess.run([FUZZER], capture_output=True, text=True)
    return answer.stderr.split("targets:")[1].split()


@functools.cache
def may_fix_addresses():
    """False in a container that forbids it."""
    return subprocess.run(["setarch", "-R", "true"], capture_output=True).returncode == 0


def fuzz(name, seconds, smoke):
    """Runs one target; a line about it, and whether it held."""
    corpus, findings = BUILD / ("smoke" if smoke else "corpus") / name, BUILD / "findings"
    if smoke:
        shutil.rmtree(corpus, ignore_errors=True)
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    # Hash tables choose their order by addresses: the smoke also keeps those, where it may.
    fixed_addresses = ["setarch", "-R"] if smoke and may_fix_addresses() else []
    fixed_choices = [f"-seed={SMOKE_SEED}", "-reload=0"] if smoke else []
    begin = [folder / name for folder in (COMMITTED, BUILD / "seeds") if (folder / name).exists()]
    log = BUILD / f"{name}.log"
    with open(log, "w") as out:
        status = subprocess.run(
            [*fixed_addresses, FUZZER, f"--target={name}", f"-max_total_time={seconds}", f"-max_len={INPUT_BYTES_MAX}",
             "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
             f"-artifact_prefix={findings}/{name}-", *fixed_choices, corpus, *begin],
            stdout=out, stderr=out,
            env={**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1"}).returncode
    text = log.read_text(errors="replace")
    runs = re.search(r"number_of_executed_units:\s*(\d+)", text)
    edges = re.findall(r"cov: (\d+)", text)
    line = f"{name}: {int(runs[1]) if runs else 0:,} inputs, {edges[-1] if edges else 0} edges"
    if status != 0:
        telling = "check failed|ERROR:|runtime error|Test unit|Base64:"
        said = [part for part in text.splitlines() if re.search(telling, part)]
        line += "\n".join([f", BROKEN (see {log}):", *said])
    return line, status == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all")
    parser.add_argument("--seconds", type=int, default=120, help="for each target (default: 120)")
    parser.add_argument("--jobs", type=int, default=2, help="targets at a time (default: 2)")
    parser.add_argument("--smoke", action="store_true", help=f"{SMOKE_SECONDS} s for all together, one at a time")
    options = parser.parse_args()

    if not options.smoke:
        built = subprocess.run([ROOT / "scripts/build.sh", "fuzz", "fuzzer"])
        if built.returncode != 0:
            return built.returncode
    elif not FUZZER.exists():
        print("there is no build/fuzz/tests/fuzzer: scripts/install.sh --tests && scripts/build.sh fuzz fuzzer")
        return SKIPPED
    subprocess.run([FUZZER, f"--write-seeds={BUILD / 'seeds'}"], check=True)

    names = targets()
    unknown = set(options.targets) - set(names)
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}; there are: {' '.join(names)}")
    names = options.targets or names
    seconds = max(1, SMOKE_SECONDS // len(names)) if options.smoke else options.seconds
    held = True
    with concurrent.futures.ThreadPoolExecutor(1 if options.smoke else options.jobs) as pool:
        for line, good in pool.map(lambda name: fuzz(name, seconds, options.smoke), names):
            print(line, flush=True)
            held = held and good
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())

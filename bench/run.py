#!/usr/bin/python3
"""Measures the bank against its ceiling, interleaved in one run on one machine.

The ceiling is bench/echo_server: the same messages over the same gRPC, answered at once, in three
processes like the bank's, asked by the same client (`customer load`). Rounds alternate between the two,
so that a noisy machine disturbs both; what counts is the ratio within a round.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
import bank  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")


class Echoes:
    """Three echo servers in the shape of a bank."""

    def __init__(self, count=3):
        self.base = bank.free_base_port(count)
        self.ids = range(1, count + 1)
        self.addresses = ",".join(f"{i}=localhost:{self.base + i}" for i in self.ids)

    def __enter__(self):
        self.processes = {i: subprocess.Popen([bank.BIN / "echo_server", "--listen", f"localhost:{self.base + i}"])
                          for i in self.ids}
        try:
            subprocess.run([bank.BIN / "bankctl", "wait-ready", "--at", self.addresses, "--timeout", "20"],
                           check=True, stdout=subprocess.DEVNULL)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait()


def cpu_seconds(processes):
    total = 0
    for process in processes:
        fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def load(servers, arguments, seconds):
    before = cpu_seconds(servers.processes.values())
    done = subprocess.run([bank.BIN / "customer", "load", "--at", servers.addresses, "--seconds", str(seconds),
                           "-w", "json", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"customer load {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
    result = json.loads(done.stdout)
    operations = result["operations"]
    result["cpu_us"] = (cpu_seconds(servers.processes.values()) - before) * 1e6 / max(1, operations)
    bad = {code: n for code, n in result["results"].items() if code != "ok"}
    if bad:
        sys.exit(f"customer load {' '.join(arguments)}: not all operations succeeded: {bad}")
    return result


UNARY = ["--mode", "unary", "--concurrency", "64", "--accounts", "1"]
STREAM = ["--mode", "stream", "--batch", "1000", "--concurrency", "4", "--accounts", "1"]
SCENARIOS = [  # name, arguments, the scenario of the echo it is compared with
    ("unary deposit", UNARY + ["--mix", "deposit=1"], "unary"),
    ("unary linearizable query", UNARY + ["--mix", "query=1"], "unary"),
    ("stream deposit, 1,000 a batch", STREAM + ["--mix", "deposit=1"], "stream"),
]
CEILINGS = [("unary", UNARY + ["--mix", "deposit=1"]), ("stream", STREAM + ["--mix", "deposit=1"])]


def describe(values, form):
    return f"{form.format(statistics.median(values))} ({form.format(min(values))} to {form.format(max(values))})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="per scenario and round")
    parser.add_argument("--no-record", action="store_true", help="print only; write nothing to bench/records")
    options = parser.parse_args()

    rows = {name: {"rate": [], "ratio": [], "p50": [], "p99": [], "p999": [], "cpu": []}
            for name in [f"echo, {n}" for n, _ in CEILINGS] + [n for n, _, _ in SCENARIOS]}

    def note(name, result, ratio):
        for key, value in [("rate", result["operations_per_second"]), ("ratio", ratio), ("p50", result["p50_us"] / 1e3),
                           ("p99", result["p99_us"] / 1e3), ("p999", result["p999_us"] / 1e3), ("cpu", result["cpu_us"])]:
            rows[name][key].append(value)

    with Echoes() as echoes, bank.Bank() as branches:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            ceiling = {}
            for name, arguments in CEILINGS:
                result = load(echoes, arguments, options.seconds)
                ceiling[name] = result["operations_per_second"]
                note(f"echo, {name}", result, 1.0)
            for name, arguments, against in SCENARIOS:
                result = load(branches, arguments, options.seconds)
                note(name, result, result["operations_per_second"] / ceiling[against])
        digests = {record["state"] for record in branches.digests()}
        if len(digests) != 1:
            sys.exit(f"the branches' digests differ after the run: {digests}")

    lines = ["| scenario | operations/s | x the echo | p50 ms | p99 ms | p99.9 ms | servers' CPU us/op |", "|---|---|---|---|---|---|---|"]
    for name, row in rows.items():
        lines.append(f"| {name} | {describe(row['rate'], '{:,.0f}')} | {describe(row['ratio'], '{:.2f}')} | "
                     f"{describe(row['p50'], '{:.2f}')} | {describe(row['p99'], '{:.2f}')} | "
                     f"{describe(row['p999'], '{:.2f}')} | {describe(row['cpu'], '{:.1f}')} |")
    table = "\n".join(lines)
    print(table)
    if options.no_record:
        return
    folder = bank.ROOT / "bench/records"
    folder.mkdir(exist_ok=True)
    today = datetime.date.today().isoformat()
    number = len(list(folder.glob(f"{today}-*.md"))) + 1
    commit = subprocess.run(["git", "-C", bank.ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    (folder / f"{today}-{number}.md").write_text(
        f"# {today}, record {number}\n\nCommand: `bench/run.py --rounds {options.rounds} --seconds {options.seconds:g}` at {commit}, "
        f"{os.cpu_count()} cores, {platform.system()} {".".join(platform.release().split(".")[:2])}.\n\n"
        "Three branches (or echo servers), durable, one process each, one client process; unary: 64 in flight at each of the three, one hot "
        "account; stream: 4 batches in flight at each. Median of the rounds (minimum to maximum). All digests equal at the end, no errors.\n\n"
        f"{table}\n")
    print(f"record: bench/records/{today}-{number}.md")


if __name__ == "__main__":
    main()

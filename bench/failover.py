#!/usr/bin/python3
"""How long a bank is silent when its leader is killed, and whether it elects without need.

  bench/failover.py                      100 kills of the leader under load: p50, p99 and the longest silence
  bench/failover.py --kills 20 --load 0  fewer, and an idle bank
  bench/failover.py --elections 60       an hour of full load without a fault: elections there were

Three branches on loopback, with their default settings. A probe at each branch makes one deposit after the other; the
silence is the longest time between two acknowledgements at one of the branches that live on, from the kill on.
"""
import argparse
import contextlib
import pathlib
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
import bank  # noqa: E402
import customer  # noqa: E402

PATIENCE_S = 30
PROBE_TIMEOUT_S = 10


class Probe:
    """Deposits one after the other at one branch; the times of the acknowledgements."""

    def __init__(self, address):
        self.customer = customer.Customer(address)
        self.condition = threading.Condition()
        self.acknowledged = []
        self.ended = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ended:
            if self.customer.deposit(1, PROBE_TIMEOUT_S) is not None:
                with self.condition:
                    self.acknowledged.append(time.monotonic())
                    self.condition.notify_all()

    def wait_for_some_after(self, moment):
        """Returns all that was acknowledged, when three are later than the moment."""
        with self.condition:
            if not self.condition.wait_for(lambda: len(self.acknowledged) >= 3 and self.acknowledged[-3] > moment, PATIENCE_S):
                raise RuntimeError(f"nothing was acknowledged for {PATIENCE_S} s")
            return list(self.acknowledged)

    def silence_after(self, moment):
        """The longest, until acknowledgements flow a second after the moment or later."""
        times = [moment, *(t for t in self.wait_for_some_after(moment + 1) if t > moment)]
        return max(after - before for before, after in zip(times, times[1:]))

    def stop(self):
        self.ended = True
        self.thread.join()
        self.customer.close()


@contextlib.contextmanager
def load(branches, concurrency):
    if concurrency == 0:
        yield
        return
    process = subprocess.Popen(
        [bank.BIN / "customer", "load", "--at", branches.addresses, "--mode", "unary", "--concurrency", str(concurrency),
         "--mix", "deposit=3,withdraw=1,query=4", "--accounts", "8", "--seconds", "86400", "-w", "json"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def kill_a_leader(branches):
    branches.wait_ready()
    leader = None
    while leader is None:
        leader = branches.leader()
    probes = [Probe(branches.address(i)) for i in branches.ids if i != leader]
    try:
        for probe in probes:
            probe.wait_for_some_after(0)
        moment = time.monotonic()
        branches.kill(leader)
        silence = max(probe.silence_after(moment) for probe in probes)
    finally:
        for probe in probes:
            probe.stop()
    branches.start([leader])
    return silence


def highest_term(branches):
    return max(row["term"] for row in branches.statuses().values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--load", type=int, default=16, help="operations in flight at each branch beside the probes (16)")
    parser.add_argument("--elections", type=float, metavar="MINUTES", help="count elections instead, under --load 64 if not told otherwise")
    options = parser.parse_args()
    if options.elections is not None and "--load" not in " ".join(sys.argv):
        options.load = 64
    with bank.Bank() as branches, load(branches, options.load):
        if options.elections is not None:
            before = highest_term(branches)
            time.sleep(60 * options.elections)  # what is measured is this time
            elections = highest_term(branches) - before
            print(f"{elections} elections in {options.elections:g} minutes with {options.load} in flight at each branch")
            return 1 if elections else 0
        silences = []
        for kill in range(1, options.kills + 1):
            silences.append(kill_a_leader(branches))
            print(f"{kill:4} {silences[-1]:.3f} s", flush=True)
    silences.sort()
    p99 = silences[min(len(silences) - 1, int(len(silences) * 0.99))]
    print(f"{len(silences)} kills with {options.load} in flight at each branch: p50 {statistics.median(silences):.2f} s, "
          f"p99 {p99:.2f} s, longest {silences[-1]:.2f} s, shortest {silences[0]:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

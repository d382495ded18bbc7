#!/usr/bin/python3
"""What a large bank costs: snapshots under way, a restart, a branch that is filled from nothing.

Three branches on loopback get accounts and sessions with remembered answers; the log stays long enough that only
the snapshots asked for are taken. While they are, and for the same time without one, each branch is asked again
and again for a read that passes its driver's thread (how long that thread is busy shows in the slowest answer) and
writes are made one by one through every branch.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
import bank  # noqa: E402
import grpc_stubs  # noqa: E402

BATCH = 8192  # operations; the largest the service takes
IN_FLIGHT = 16  # batches
OPENED_EACH = 1000  # sessions of one connection; the most that a branch lets it open
pb, stubs = grpc_stubs.load("customer", (bank.ROOT / "proto/bank/v1/customer.proto").read_text())


def connect(address):
    channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)])
    return stubs.CustomerStub(channel)


def send(stub, batches):
    """Every batch must be applied. A branch takes in no more than so many operations at a time."""
    room = threading.Semaphore(IN_FLIGHT)
    for reply in stub.Stream(batch for batch in batches if room.acquire()):
        room.release()
        if reply.fate != pb.BatchReply.APPLIED or any(reply.code):
            raise RuntimeError(f"a batch was not applied: fate {reply.fate} {reply.message} {set(reply.code)}")


def fill(at, accounts, sessions, remembered):
    """Opens the accounts through a session that sees its answers, then lets the others remember theirs."""
    stub = connect(at)
    session = stub.OpenSession(pb.OpenSessionRequest()).session

    def openings():
        for first in range(0, accounts, BATCH):
            n = min(BATCH, accounts - first)
            yield pb.Batch(kind=[pb.Batch.OPEN] * n, money=[1000] * n, account=range(n),
                           account_name=[f"account-{i:08d}" for i in range(first, first + n)],
                           session=session, first_sequence=first + 1, answered_below=max(1, first + 1 - BATCH))

    send(stub, openings())
    # A connection may open so many sessions and no more.
    others = [connect(at) for _ in range(0, sessions, OPENED_EACH)]
    ids = [call.result().session for call in [others[i // OPENED_EACH].OpenSession.future(pb.OpenSessionRequest())
                                              for i in range(sessions)]]
    # Each gives the window away only if its answers are never acknowledged.
    send(stub, (pb.Batch(kind=[pb.Batch.DEPOSIT] * remembered, money=[1] * remembered, session=s, first_sequence=1,
                         answered_below=1) for s in ids if remembered))


class Probe:
    """One thread that repeats a call and notes (when it began, how long it took), in seconds."""

    def __init__(self, call, pause, expected=grpc.StatusCode.OK):
        self.call, self.pause, self.expected = call, pause, expected
        self.seen, self.failed, self.ending = [], 0, threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ending.wait(self.pause):
            begin = time.monotonic()
            try:
                self.call()
                code = grpc.StatusCode.OK
            except grpc.RpcError as error:
                code = error.code()
            self.failed += code != self.expected
            self.seen.append((begin, time.monotonic() - begin))

    def stop(self):
        self.ending.set()
        self.thread.join()


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else 0


def probing(town, action):
    """Runs `action` between the probes; what they saw meanwhile, in milliseconds."""
    # Waits for what will never be, for a millisecond: the driver's thread takes it in and gives it up.
    read = pb.Request(request="query", consistency=pb.AT_LEAST, minimum_position=1 << 62, deadline_ms=1)
    write = pb.Request(request="deposit", money=1)
    reads = {i: Probe(lambda stub=connect(town.address(i)): stub.MsgDelivery(read, timeout=60), 0.002, grpc.StatusCode.DEADLINE_EXCEEDED)
             for i in town.ids}
    writes = [Probe(lambda stub=connect(town.address(i)): stub.MsgDelivery(write, timeout=60), 0.005) for i in town.ids]
    begin = time.monotonic()
    taken = action()
    end = time.monotonic()
    for probe in [*reads.values(), *writes]:
        probe.stop()
    within = lambda probe: [1000 * took for at, took in probe.seen if at + took >= begin and at <= end]
    all_writes = [ms for probe in writes for ms in within(probe)]
    return {"seconds": round(end - begin, 2), "action": taken, "writes": len(all_writes),
            "failed": sum(p.failed for p in [*reads.values(), *writes]),
            "driver_stall_ms": {i: round(max(within(probe))) for i, probe in reads.items()},
            **{f"write_p{name}_ms": round(quantile(all_writes, q), 1) for name, q in (("50", .5), ("99", .99), ("100", 1))}}


def snapshot(town, who):
    done = subprocess.run([bank.BIN / "bankctl", "exec", who, "take-snapshot", "--deadline", "120", "--at", town.addresses],
                          capture_output=True, text=True)
    return "taken" if done.returncode == 0 else (done.stdout + done.stderr).strip()[-300:]


def memory_mb(town):
    """Now and at its highest, of each process."""
    rows = {}
    for i in town.running():
        status = pathlib.Path(f"/proc/{town.processes[i].pid}/status").read_text()
        field = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if line.startswith("Vm")}
        rows[i] = [int(field[name]) // 1024 for name in ("VmRSS", "VmHWM")]
    return rows


def ready_seconds(town, branch):
    begin = time.monotonic()
    town.start([branch], wait=False)
    town.wait_ready([branch], seconds=300)
    return round(time.monotonic() - begin, 2)


def note(what, value):
    print(json.dumps({what: value}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=9_000)
    parser.add_argument("--remembered", type=int, default=400, help="answers that each session remembers")
    parser.add_argument("--folder", help="where the bank lives (default: a temporary folder)")
    options = parser.parse_args()

    with bank.Bank(folder=options.folder, flags=["--snapshot-every", "1000000", "--log-level", "warn"]) as town:
        begin = time.monotonic()
        fill(town.address(1), options.accounts, options.sessions, options.remembered)
        note("fill_seconds", round(time.monotonic() - begin, 1))
        note("memory_mb", memory_mb(town))
        note("term", town.status(1)["term"])
        note("idle", probing(town, lambda: threading.Event().wait(5)))
        for who in ("all", "all", "leader"):
            note(f"snapshot {who}", probing(town, lambda who=who: snapshot(town, who)))
            note("term", town.status(1)["term"])
        note("memory_mb", memory_mb(town))
        note("snapshot_mb", max(f.stat().st_size for f in town.data(1).glob("snapshot-*")) >> 20)

        follower = next(i for i in town.ids if i != town.leader())
        town.kill(follower)
        note("restart_seconds", ready_seconds(town, follower))
        town.kill(follower)
        shutil.rmtree(town.data(follower))
        note("refill", probing_others(town, follower))
        note("term", town.status(1)["term"])
        note("memory_mb", memory_mb(town))
        note("digests_equal", len({row["state"] for row in town.digests()}) == 1)


def probing_others(town, branch):
    """A branch is filled from nothing while the others are asked."""
    others = [i for i in town.ids if i != branch]
    town.ids, everyone = others, town.ids

    def refill():
        town.ids = everyone
        return ready_seconds(town, branch)

    try:
        return probing(town, refill)
    finally:
        town.ids = everyone


if __name__ == "__main__":
    main()

"""The metric stream of a bank of three branches, as foreign clients see it.

Goal: whoever is asked, the same frames come, each once and in order or named in a gap, also while
the leader is killed; agents of others' making are taken in through any branch; a slow reader gets
the newest and is told what it missed; a killed branch is known as dead within two seconds.
Method: clients generated from monitor.proto; branches are real processes and are really killed.
"""
import json
import subprocess
import threading
import time
import unittest

import grpc

import bank
import monitor_client as client
from monitor_client import pb, wait_until

PAST = 1  # since the beginning


def lives(address):
    """What a branch says of each agent's life."""
    call = client.stub(address).StreamMetrics(pb.StreamMetricsRequest(frames=True), timeout=10, wait_for_ready=True)
    try:
        for update in call:
            found = {frame.agent.agent: frame.life.state for frame in update.frames if frame.HasField("life")}
            if found:
                return found
    finally:
        call.cancel()


def events(address, past=1000):
    return list(client.stub(address).StreamEvents(pb.StreamEventsRequest(past=past), timeout=10))


class Monitor(unittest.TestCase):
    def bank(self, **options):
        context = bank.Bank(**options)
        branches = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return branches

    def follower(self, branches):
        leader = branches.leader()
        return next(branch for branch in branches.ids if branch != leader)

    def test_reader_misses_nothing_while_the_leader_is_killed(self):
        branches = self.bank()
        leader = branches.leader()
        others = [branch for branch in branches.ids if branch != leader]
        agent = client.Agent("probe", [branches.address(i) for i in branches.ids])
        readers = {branch: client.Reader(branches.address(branch), since_unix_nanos=PAST) for branch in branches.ids}
        for reader in readers.values():
            wait_until(lambda: reader.last("probe") > 10, 15, f"the agent's frames: {agent.faults}")
        branches.kill(leader)
        # The reader of the killed branch goes on elsewhere, after what it has read.
        readers[leader].thread.join(timeout=10)
        readers[leader].connect(branches.address(others[0]))
        now = len(agent.frames)
        for reader in readers.values():
            wait_until(lambda: reader.last("probe") > now + 20, 20, f"frames after the kill: {agent.faults}")
        for reader in readers.values():
            reader.close()
            self.assertEqual(reader.problems, [])
            self.assertEqual([gap for gap in reader.gaps if gap.agent == "probe"], [])
        agent.stop()
        # All branches hold the same frames of it.
        seen = []
        for branch in others:
            reader = client.Reader(branches.address(branch), since_unix_nanos=PAST, agent=["probe"])
            wait_until(lambda: reader.last("probe") == readers[others[0]].last("probe") or reader.last("probe") > now + 20, 10, "the past")
            reader.close()
            self.assertEqual(reader.problems, [])
            seen.append([(s.sequence, s.metric, s.value) for s in reader.samples if s.sequence <= now])
        self.assertEqual(seen[0], seen[1])
        self.assertEqual(len(seen[0]), 2 * now)

    def test_killed_branch_is_soon_known_dead_everywhere(self):
        branches = self.bank()
        dead, live = pb.MetricUpdate.Life.DEAD, pb.MetricUpdate.Life.LIVE
        names = {f"branch-{i}" for i in branches.ids}
        wait_until(lambda: all({n for n, s in lives(branches.address(i)).items() if s == live} >= names for i in branches.ids), 10, "all live")
        for victim in (self.follower(branches), branches.leader()):
            others = [i for i in branches.ids if i != victim]
            killed = time.monotonic()
            branches.kill(victim)
            wait_until(lambda: all(lives(branches.address(i)).get(f"branch-{victim}") == dead for i in others), 10, "dead")
            print(f"known dead everywhere after {time.monotonic() - killed:.2f} s")
            wait_until(lambda: all(any(e.kind == pb.Event.LOST and f"branch-{victim} " in e.text for e in events(branches.address(i))) for i in others), 15, "its loss is an event")
            told = lambda at: sorted(e.agent for e in events(branches.address(at)) if e.kind == pb.Event.LOST and f"branch-{victim} " in e.text)
            each_once = [f"branch-{i}" for i in others]
            wait_until(lambda: all(told(i) == each_once for i in others), 15, f"each that sees it tells it once: {[told(i) for i in others]}")
            branches.start([victim])
            wait_until(lambda: all(lives(branches.address(i)).get(f"branch-{victim}") == live for i in branches.ids), 15, "live again")
            self.assertEqual([told(i) for i in others], [each_once, each_once])

    def test_events_reach_a_branch_that_was_away(self):
        branches = self.bank()
        away = self.follower(branches)
        branches.kill(away)
        address = branches.address(branches.leader())
        wait_until(lambda: any(e.kind == pb.Event.LOST for e in events(address)), 10, "the loss is noted")
        branches.start([away])
        wait_until(lambda: any(e.kind == pb.Event.LOST for e in events(branches.address(away))), 15, "it learns of its own loss")
        key = lambda e: (e.time_unix_nanos, e.agent, e.incarnation, e.number)
        wait_until(lambda: [key(e) for e in events(address)] == [key(e) for e in events(branches.address(away))], 10, "the same events everywhere")
        # Of its earlier run it was told by the bank; it does not tell that again as its own.
        numbers = [(e.agent, e.incarnation, e.number) for e in events(address)]
        self.assertEqual(sorted(numbers), sorted(set(numbers)))

    def test_events_are_followed(self):
        branches = self.bank()
        victim = self.follower(branches)
        call = client.stub(branches.address(branches.leader())).StreamEvents(pb.StreamEventsRequest(past=0, follow=True), timeout=20)
        call.initial_metadata()
        branches.kill(victim)
        self.assertTrue(any(event.kind == pb.Event.LOST for event in call))
        call.cancel()

    def test_filters(self):
        branches = self.bank(branches=1)
        agents = [client.Agent(name, [branches.address(1)]) for name in ("one", "two")]
        address = branches.address(1)
        some = client.Reader(address, agent=["on*"], metric=["test.u*"])
        wait_until(lambda: some.last("one") > 5, 10, f"samples: {agents[0].faults}")
        none = client.Reader(address, hostname=["nowhere"])
        by_branch = client.Reader(address, branch=[1])
        for reader in (some, none, by_branch):
            reader.close()
        self.assertEqual({(s.agent, s.metric) for s in some.samples}, {("one", "test.up")})
        self.assertEqual(some.problems, [])
        self.assertEqual(none.samples, [])
        self.assertEqual({s.branch for s in by_branch.samples} - {1}, set())
        for agent in agents:
            agent.stop()

    def test_slow_reader_gets_the_newest_and_a_count(self):
        branches = self.bank(branches=1)
        address = branches.address(1)
        # A pusher that fills the transport's buffers soon: large frames, often.
        hello = pb.Agent(agent="big", hostname="h", incarnation=1)
        define = [pb.Series(id=i, metric=f"test.{i}", unit="1", attributes={"text": "x" * 200}) for i in range(1, 501)]
        stop = threading.Event()
        pushed = [0]

        def push():
            yield pb.MetricPush(hello=hello, frames=[pb.MetricFrame(define=define)])
            while not stop.is_set():
                pushed[0] += 1
                yield pb.MetricPush(frames=[pb.MetricFrame(sequence=pushed[0], time_unix_nanos=time.time_ns(),
                                                           series=range(1, 501), value=[pushed[0]] * 500)])
                time.sleep(0.05)

        pusher = client.stub(address).PushMetrics.future(push())
        call = client.stub(address).StreamMetrics(pb.StreamMetricsRequest(agent=["big"]), timeout=120)
        first = next(iter(call))
        self.assertEqual(first.missed_samples, 0)
        time.sleep(25)  # the reader does something else; what is tested is that time itself
        position, missed, gaps = first.samples[-1].sequence, 0, []
        for update in call:
            for gap in update.gaps:
                self.assertEqual(gap.first_sequence, position + 1)
                self.assertEqual(gap.reason, "slow_reader")
                gaps.append(gap)
                position = gap.last_sequence
            missed += update.missed_samples
            for sequence in sorted({s.sequence for s in update.samples}):
                self.assertIn(sequence, (position, position + 1))
                position = sequence
            if gaps and position >= pushed[0] - 5:
                break
        self.assertEqual(missed, 500 * sum(g.last_sequence - g.first_sequence + 1 for g in gaps))
        stop.set()
        call.cancel()
        pusher.result(timeout=10)

    def wide(self, number):
        return pb.Series(id=number, metric="m" * 200, attributes={f"{i}-" + "k" * 200: "v" * 200 for i in range(16)})

    def test_nonsense_is_refused_and_harms_nobody(self):
        branches = self.bank()
        leader = branches.address(branches.leader())
        follower = branches.address(self.follower(branches))
        hello = pb.Agent(agent="odd", hostname="h", incarnation=1)
        cases = [
            ([], None),  # an agent that says nothing at all
            ([pb.MetricPush(frames=[pb.MetricFrame(sequence=1)])], grpc.StatusCode.INVALID_ARGUMENT),
            ([pb.MetricPush(hello=pb.Agent(agent="a b", incarnation=1))], grpc.StatusCode.INVALID_ARGUMENT),
            ([pb.MetricPush(hello=pb.Agent(agent="odd"))], grpc.StatusCode.INVALID_ARGUMENT),
            ([pb.MetricPush(hello=pb.Agent(agent="branch-1", incarnation=1))], grpc.StatusCode.PERMISSION_DENIED),
            ([pb.MetricPush(hello=hello), pb.MetricPush(frames=[pb.MetricFrame(sequence=1, series=[7], value=[1])])],
             grpc.StatusCode.INVALID_ARGUMENT),
            ([pb.MetricPush(hello=pb.Agent(agent="odd", branch=9, incarnation=1))], grpc.StatusCode.PERMISSION_DENIED),
            ([pb.MetricPush(hello=hello), pb.MetricPush(frames=[pb.MetricFrame(sequence=1, series=[7])])],
             grpc.StatusCode.INVALID_ARGUMENT),
            ([pb.MetricPush(hello=hello), pb.MetricPush(frames=[pb.MetricFrame(sequence=1, time_unix_nanos=-2**63)])],
             grpc.StatusCode.INVALID_ARGUMENT),
            ([pb.MetricPush(hello=hello)] + [pb.MetricPush(frames=[pb.MetricFrame(define=[self.wide(n) for n in range(100 * i, 100 * i + 100)])]) for i in range(25)],
             grpc.StatusCode.INVALID_ARGUMENT),  # more names than a stream may define
        ]
        for address in (leader, follower):
            for messages, code in cases:
                stays = threading.Event()

                def push():
                    yield from messages
                    if code is not None:
                        stays.wait(10)

                call = client.stub(address).PushMetrics.future(push(), timeout=20)
                fault = call.exception()
                stays.set()
                self.assertEqual(fault.code() if fault else None, code, f"{messages} at {address}: {fault}")

    def test_an_agent_cannot_drown_the_banks_own_events(self):
        branches = self.bank()
        follower = self.follower(branches)
        stop = threading.Event()

        def push():
            yield pb.MetricPush(hello=pb.Agent(agent="loud", hostname="h", incarnation=1))
            for number in range(40):
                yield pb.MetricPush(frames=[pb.MetricFrame(sequence=number + 1, events=[
                    pb.Event(number=100 * number + i, kind=pb.Event.ELECTION, text="branch-1 is lost: or not", time_unix_nanos=2**62) for i in range(100)])])
            stop.wait(60)

        pusher = client.stub(branches.address(follower)).PushMetrics.future(push())
        address = branches.address(branches.leader())
        loud = lambda: [event for event in events(address) if event.agent == "loud"]
        wait_until(lambda: len(loud()) >= 50, 10, "some of its events")
        victim = next(branch for branch in branches.ids if branch not in (follower, branches.leader()))
        branches.kill(victim)
        wait_until(lambda: any(e.kind == pb.Event.LOST and f"branch-{victim} " in e.text for e in events(address)), 15, "the bank's own event")
        told = loud()
        self.assertLess(len(told), 50 + 100)
        self.assertEqual({event.kind for event in told}, {pb.Event.OTHER})
        self.assertLessEqual(max(event.time_unix_nanos for event in told), time.time_ns())
        # Every branch tells of the loss, in its own time; what was pushed is older than that.
        self.assertIn(events(address)[-1].agent, {f"branch-{branch}" for branch in branches.ids}, "nothing stands in the future")
        stop.set()
        pusher.result(timeout=10)

    def test_values_that_are_no_numbers(self):
        branches = self.bank(branches=1)
        define = [pb.Series(id=i, metric=f"test.{name}", unit="1") for i, name in enumerate(("nan", "up", "down"), start=1)]
        stop = threading.Event()

        def push():
            yield pb.MetricPush(hello=pb.Agent(agent="odd", hostname="h", incarnation=1), frames=[
                pb.MetricFrame(sequence=1, time_unix_nanos=time.time_ns(), define=define, series=[1, 2, 3], value=[float("nan"), float("inf"), -float("inf")])])
            stop.wait(60)

        pusher = client.stub(branches.address(1)).PushMetrics.future(push())
        wait_until(lambda: "odd" in lives(branches.address(1)), 10, "the agent")

        def printed(form):
            done = subprocess.run([bank.BIN / "bankctl", "metrics", "--agent", "odd", "--at", branches.address(1), "-w", form], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout.splitlines()

        rows = {row["metric"]: row for row in map(json.loads, printed("json"))}
        self.assertEqual({name: row["value"] for name, row in rows.items()}, {"test.nan": "NaN", "test.up": "Infinity", "test.down": "-Infinity"})
        self.assertGreater(int(rows["test.up"]["time_unix_nanos"]), 2**53)
        self.assertEqual((rows["test.up"]["incarnation"], rows["test.up"]["sequence"]), ("1", 1))
        self.assertEqual([line.split(",")[6] for line in printed("csv")[1:]], ["nan", "inf", "-inf"])
        stop.set()
        pusher.result(timeout=10)

    def test_readers_end_when_the_branch_stops(self):
        branches = self.bank(branches=1)
        call = client.stub(branches.address(1)).StreamMetrics(pb.StreamMetricsRequest())
        call.initial_metadata()
        began = time.monotonic()
        self.assertEqual(branches.kill(1, bank.signal.SIGTERM), 0)
        self.assertLess(time.monotonic() - began, 3 * bank.PATIENCE)
        with self.assertRaises(grpc.RpcError) as fault:
            list(call)
        self.assertEqual(fault.exception.code(), grpc.StatusCode.UNAVAILABLE)


if __name__ == "__main__":
    unittest.main()

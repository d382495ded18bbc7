"""Branches as agents of a server of the exercise, written from monitor.proto alone.

Goal: it gets every frame of every branch, each once more at most after it was away, or is told how
many are lost; and whatever it does (it stops, does not read, knows no metrics) the bank and its
commands go on.
Method: the server is this test's own Python; branches are real processes.
"""
import socket
import time
import unittest

import bank
import monitor_client
import monitor_server
from monitor_client import pb, wait_until

UPTIME = {"host_diagnostic": pb.HostDiagnostic(program="uptime")}
FAST = ["--sampling-interval-ms", "100"]


def local(port):
    return f"localhost:{port}"


class ForeignServer(unittest.TestCase):
    def bank(self, address, branches=1):
        return bank.Bank(branches=branches, flags=["--monitor", address, *FAST])

    def test_it_gets_metrics_and_commands(self):
        with monitor_server.Server() as server, self.bank(server.address, branches=3) as branches:
            names = [f"branch-{branch}" for branch in branches.ids]
            wait_until(lambda: all(len(server.sequences(name)) > 20 for name in names), 20, "metrics of all branches")
            for name in names:
                self.assertTrue(server.whole(name), server.sequences(name))
            frames = {key[0]: list(frames.values()) for key, frames in server.frames.items()}
            metrics = {series.metric for frame in frames["branch-2"] for series in frame.define}
            self.assertLessEqual({"system.cpu.utilization", "bank.operations.rate", "bank.raft.term"}, metrics)
            wait_until(lambda: set(server.agents) == set(names), 10, "command streams of all branches")
            self.assertEqual(server.ask("branch-3", "one", **UPTIME)[-1].result.outcome, pb.CommandResult.DONE)
            # A leader's death concerns this server's agents not at all.
            leader = branches.leader()
            branches.kill(leader)
            others = [branch for branch in branches.ids if branch != leader]
            seen = {branch: server.sequences(f"branch-{branch}")[-1] for branch in others}
            for branch in others:
                wait_until(lambda: server.sequences(f"branch-{branch}")[-1] > seen[branch] + 20, 20, "metrics go on")
                self.assertTrue(server.whole(f"branch-{branch}"))

    def test_what_it_missed_is_sent_afterwards(self):
        for remembers in (True, False):
            with self.subTest(remembers=remembers):
                store = {}
                port = bank.free_base_port(1) + 1
                with self.bank(local(port)) as branches:
                    for _ in range(3):  # it is not there at first, and dies twice
                        before = max((len(frames) for frames in store.values()), default=0)
                        with monitor_server.Server(local(port), remembers=remembers, store=store) as server:
                            wait_until(lambda: len(server.sequences("branch-1")) > before + 20, 20, "new frames")
                            wait_until(lambda: server.whole("branch-1"), 10, "and those it missed")
                            self.assertEqual(sum(frame.lost_before for frame in next(iter(store.values())).values()), 0)
                        time.sleep(0.5)  # away: what is tested is that time itself
                    self.assertEqual(branches.running(), [1])

    def test_one_that_does_not_read_holds_nobody_up(self):
        with monitor_server.Server() as server:
            server.open.clear()
            with self.bank(server.address) as branches:
                wait_until(lambda: "branch-1" in server.agents, 10, "the command stream")
                reader = monitor_client.Reader(branches.address(1))
                wait_until(lambda: reader.last("branch-1") > 50, 20, "readers of the branch itself")
                self.assertEqual(server.ask("branch-1", "meanwhile", **UPTIME)[-1].result.outcome, pb.CommandResult.DONE)
                reader.close()
                server.open.set()
                wait_until(lambda: len(server.sequences("branch-1")) > 50, 20, "all of it, later")
                self.assertTrue(server.whole("branch-1"))
                self.assertEqual(branches.kill(1, bank.signal.SIGTERM), 0)

    def test_one_without_metrics_still_commands(self):
        with monitor_server.CommandsOnly() as server, self.bank(server.address) as branches:
            wait_until(lambda: "branch-1" in server.agents, 10, "the command stream")
            self.assertEqual(server.ask("branch-1", "only", **UPTIME)[-1].result.outcome, pb.CommandResult.DONE)
            log = branches.log(1)
            wait_until(lambda: "no metrics here" in log.read_text(), 10, "the branch says what is wrong")
            self.assertEqual(log.read_text().count("no metrics here"), 1)

    def test_one_that_answers_nothing_at_all(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and says nothing
            with self.bank(f"127.0.0.1:{silent.getsockname()[1]}") as branches:
                reader = monitor_client.Reader(branches.address(1))
                wait_until(lambda: reader.last("branch-1") > 20, 20, "the branch goes on")
                reader.close()
                began = time.monotonic()
                self.assertEqual(branches.kill(1, bank.signal.SIGTERM), 0)
                self.assertLess(time.monotonic() - began, 5 * bank.PATIENCE)


if __name__ == "__main__":
    unittest.main()

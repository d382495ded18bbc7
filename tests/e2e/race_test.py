"""1,000 withdrawals race for an account that can pay 500 of them, over three branches.

Exactly 500 succeed and the balance ends at zero, also when the leader is killed in the middle: then
the customers repeat what they do not know, with the same key, at the other branches.
"""
import json
import subprocess
import unittest

import bank


class Race(unittest.TestCase):
    def race(self, kill_leader):
        with bank.Bank(balance=500) as branches:
            history = branches.folder / "history.jsonl"
            load = subprocess.Popen(
                [bank.BIN / "customer", "load", "--at", branches.addresses, "--mode", "unary",
                 "--concurrency", "64", "--operations", "1000", "--mix", "withdraw=1", "--account", "shared", "--initial-balance", "500",
                 "--history", history, "-w", "json"], stdout=subprocess.PIPE, text=True)
            if kill_leader:
                leader = branches.leader()
                branches.wait_for_position(leader, 100)
                branches.kill(leader)
            printed, _ = load.communicate(timeout=90 * bank.PATIENCE)
            self.assertEqual(load.returncode, 0, printed + branches.logs())
            counts = json.loads(printed)["results"]
            self.assertEqual(counts.get("ok"), 500, counts)
            self.assertEqual(counts.get("insufficient_funds"), 500, counts)
            if kill_leader:
                branches.start([leader])
            for record in branches.digests():
                self.assertEqual(record["balance_total"], 0)
            judged = subprocess.run([bank.BIN / "checker", history, "--digests", branches.folder / "digests.jsonl"],
                                    capture_output=True, text=True, timeout=60 * bank.PATIENCE)
            self.assertEqual(judged.returncode, 0, judged.stdout + judged.stderr)

    def test_exactly_half_succeed(self):
        self.race(kill_leader=False)

    def test_exactly_half_succeed_though_the_leader_is_killed(self):
        self.race(kill_leader=True)


class Restart(unittest.TestCase):
    def test_kill_of_everything_loses_no_acknowledged_operation(self):
        with bank.Bank() as branches:
            history = branches.folder / "history.jsonl"
            load = subprocess.run(
                [bank.BIN / "customer", "load", "--at", branches.addresses, "--mode", "unary",
                 "--concurrency", "16", "--operations", "2000", "--mix", "deposit=1,withdraw=1", "--account", "shared", "--initial-balance", "400",
                 "--history", history], capture_output=True, text=True, timeout=60 * bank.PATIENCE)
            self.assertEqual(load.returncode, 0, load.stdout + load.stderr)
            before = branches.digests()
            for branch in branches.ids:
                branches.kill(branch)
            branches.start()
            after = branches.digests()
            self.assertEqual({r["state"] for r in before}, {r["state"] for r in after})
            judged = subprocess.run([bank.BIN / "checker", history, "--digests", branches.folder / "digests.jsonl"],
                                    capture_output=True, text=True, timeout=60 * bank.PATIENCE)
            self.assertEqual(judged.returncode, 0, judged.stdout + judged.stderr)


if __name__ == "__main__":
    unittest.main()

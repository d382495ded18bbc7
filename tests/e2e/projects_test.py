"""The course's projects 2 and 3 as a student runs them: run_all.sh, judged by `checker course`."""
import json
import pathlib
import subprocess
import tempfile
import threading
import unittest

import bank
import customer

INPUT = bank.ROOT / "input"


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120 * bank.PATIENCE)


class Projects(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.output = pathlib.Path(self.folder.name) / "output.json"

    def tearDown(self):
        self.folder.cleanup()

    def run_all(self, *arguments):
        return run(bank.ROOT / "run_all.sh", "--no-build", "--out", pathlib.Path(self.folder.name) / "out", *arguments)

    def run_ok(self, *arguments):
        done = self.run_all(*arguments, "--output", self.output)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def refused(self, exit_code, *arguments):
        done = self.run_all(*arguments, "--output", self.output)
        self.assertEqual(done.returncode, exit_code, done.stdout + done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertFalse(self.output.exists())
        return done.stderr

    def written(self, elements):
        path = pathlib.Path(self.folder.name) / "input.json"
        path.write_text(json.dumps(elements))
        return path

    def test_project_2_is_known_by_its_form_and_right(self):
        said = self.run_ok(INPUT / "logical_clocks.json")
        self.assertTrue(said.startswith("project 2 (logical clocks), by the form of the input"), said)
        judged = run(bank.BIN / "checker", "course", "--project", "2", "--strict", INPUT / "logical_clocks.json", self.output)
        self.assertEqual(judged.returncode, 0, judged.stdout)
        output = json.loads(self.output.read_text())
        self.assertEqual([element["type"] for element in output[:6]], ["customer"] * 3 + ["branch"] * 3)
        # 6 requests, each with 1 customer's, 1 + 2 home's and 2 others' events.
        self.assertEqual(len(output[6:]), 36)

    def test_project_2_in_three_files(self):
        self.run_ok(INPUT / "logical_clocks.json", "--files", "three")
        parts = [self.output.with_name(f"output.{part}.json") for part in (1, 2, 3)]
        self.assertEqual([len(json.loads(part.read_text())) for part in parts], [3, 3, 36])
        self.assertFalse(self.output.exists())

    def test_project_2_in_the_form_of_2021(self):
        self.run_ok(INPUT / "logical_clocks.json", "--form", "2021")
        blocks = json.loads(self.output.read_text())
        self.assertEqual([block["pid"] for block in blocks[:3]], [1, 2, 3])
        # The home's request, execute, two responses and response; two sub-events at each other branch.
        self.assertEqual([len(block["data"]) for block in blocks[3:]], [9] * 6)

    def test_a_refused_withdrawal_is_propagated_to_nobody(self):
        path = self.written([{"id": 1, "type": "customer", "customer-requests": [{"customer-request-id": 7, "interface": "withdraw", "money": 401}]},
                             *({"id": i, "type": "branch", "balance": 400} for i in (1, 2, 3))])
        self.run_ok(path)
        self.assertEqual([event["comment"] for event in json.loads(self.output.read_text())[4:]],
                         ["event_sent from customer 1", "event_recv from customer 1"])

    def test_ten_customers_at_ten_branches(self):
        path = self.written([*({"id": i, "type": "customer",
                                "customer-requests": [{"customer-request-id": 2 * i - 1, "interface": "deposit", "money": 10},
                                                      {"customer-request-id": 2 * i, "interface": "withdraw", "money": 10}]} for i in range(1, 11)),
                             *({"id": i, "type": "branch", "balance": 0} for i in range(1, 11))])
        self.assertIn("values   400 of 400 right", self.run_ok(path))

    def test_project_3_in_both_forms(self):
        self.assertIn("project 3 (client-centric consistency)", self.run_ok(INPUT / "client_centric.json"))
        self.assertEqual(json.loads(self.output.read_text()),
                         [{"id": 1, "recv": [{"interface": "deposit", "branch": 3, "result": "success"}]},
                          {"id": 1, "recv": [{"interface": "query", "branch": 5, "balance": 70}]}])
        self.run_ok(INPUT / "client_centric.json", "--form", "2021")
        self.assertEqual(json.loads(self.output.read_text()), [{"id": 1, "balance": 70}])

    def test_project_3_with_several_customers(self):
        events = lambda i: [{"interface": "deposit", "money": 1, "branch": 1 + i % 3}, {"interface": "query", "branch": 1 + (i + 1) % 3},
                            {"interface": "withdraw", "money": 1, "branch": 1 + (i + 2) % 3}, {"interface": "query", "branch": 1 + i % 3}]
        path = self.written([*({"id": i, "type": "customer", "events": events(i)} for i in range(1, 7)),
                             *({"id": i, "type": "branch", "balance": 400} for i in (1, 2, 3))])
        self.run_ok(path)
        self.assertEqual([element["recv"][0]["balance"] for element in json.loads(self.output.read_text()) if "balance" in element["recv"][0]],
                         [401, 400] * 6)
        self.run_ok(path, "--order", "concurrent")

    def test_what_fits_no_project_or_has_no_effect_is_refused(self):
        queries = self.written([{"id": 1, "type": "customer", "events": [{"interface": "query"}]}, {"id": 1, "type": "branch", "balance": 1}])
        self.assertIn("project 2 has deposits and withdrawals only", self.refused(2, queries, "--project", "2"))
        self.assertIn("--replicator raft: project 2", self.refused(1, INPUT / "logical_clocks.json", "--replicator", "raft"))
        self.assertIn("--form has no effect", self.refused(1, INPUT / "three_branches.json", "--form", "2021"))
        self.assertIn("--guarantees has no effect", self.refused(1, INPUT / "logical_clocks.json", "--guarantees", "none"))
        self.assertIn("--order has no effect", self.refused(1, INPUT / "logical_clocks.json", "--order", "sequential"))


class Lamport(unittest.TestCase):
    """A bank by logical clocks, with a branch that is killed under two customers that write."""

    def test_nothing_diverges_and_all_converges(self):
        with tempfile.TemporaryDirectory() as folder, bank.Bank(flags=["--replicator", "lamport"]) as branches:
            history = pathlib.Path(folder) / "history"
            load = subprocess.Popen([bank.BIN / "customer", "load", "--at", branches.addresses, "--mode", "unary", "--concurrency", "4",
                                     "--mix", "deposit=2,withdraw=1,query=1", "--accounts", "2", "--seconds", "6", "--operation-timeout", "2",
                                     "--history", str(history), "-w", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            position = branches.status(1)["position"]
            branches.wait_for_position(1, position + 100)
            branches.kill(2)
            branches.start([2])
            said, complaint = load.communicate(timeout=60 * bank.PATIENCE)
            self.assertIn(load.returncode, (0, 4), complaint)
            results = json.loads(said)["results"]
            self.assertGreater(results["ok"], 100)
            self.assertLessEqual(set(results), {"ok", "unknown", "not_applied", "unavailable"}, said)
            last = max(branches.status(i)["position"] for i in branches.ids)
            for i in branches.ids:
                branches.wait_for_position(i, last)
            branches.digests()
            judged = run(bank.BIN / "checker", history, "--digests", branches.folder / "digests.jsonl")
            self.assertEqual(judged.returncode, 0, judged.stdout + judged.stderr)

    def test_while_a_branch_is_dead_writes_are_unknown_and_reads_wait(self):
        with bank.Bank(flags=["--replicator", "lamport"]) as branches:
            one = customer.Customer(branches.address(1))
            self.assertIsNotNone(one.deposit(5, 20 * bank.PATIENCE))
            branches.kill(3)
            self.assertIsNone(one.deposit(7, 1))
            branches.start([3])
            branches.wait_ready()
            self.assertIsNotNone(one.deposit(1, 20 * bank.PATIENCE))
            one.close()
            balances = {run(bank.BIN / "customer", "call", "query", "--at", branches.address(i)).stdout.split()[3] for i in branches.ids}
            self.assertEqual(len(balances), 1)
            self.assertIn(balances.pop(), ("406", "413"))  # the unknown one took effect, or not

    def test_what_it_does_not_offer_is_refused_clearly(self):
        with bank.Bank(flags=["--replicator", "lamport"]) as branches:
            self.assertEqual({row["replicator"] for row in branches.statuses().values()}, {"lamport"})
            for command in (["snapshot"], ["transfer", "--to", "2"]):
                done = run(bank.BIN / "bankctl", *command, "--at", branches.address(1))
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("logical clocks", done.stderr)


if __name__ == "__main__":
    unittest.main()

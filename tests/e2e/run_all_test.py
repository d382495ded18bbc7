"""run_all.sh as a user runs it: every order, lenient and malformed inputs, --serve, clean stops."""
import json
import pathlib
import os
import resource
import signal
import socket
import subprocess
import tempfile
import unittest

import bank
import report_client

INPUT = bank.ROOT / "input"


def run_all(*arguments, **options):
    return subprocess.run([bank.ROOT / "run_all.sh", "--no-build", *map(str, arguments)],
                          capture_output=True, text=True, timeout=120 * bank.PATIENCE, **options)


class RunAll(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.output = pathlib.Path(self.folder.name) / "output.json"

    def tearDown(self):
        self.folder.cleanup()

    def run_ok(self, *arguments):
        done = run_all(*arguments, "--output", self.output)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout, json.loads(self.output.read_text())

    def expected(self, name):
        return json.loads((INPUT / "expected" / name).read_text())

    def test_default_input_in_sequence(self):
        printed, output = self.run_ok()
        self.assertEqual(output, self.expected("three_branches.json"))
        for line in ["id 1 query True money 400", "id 2 deposit True", "id 2 query True money 570",
                     "id 3 withdraw True", "id 3 query True money 500"]:
            self.assertIn(line, printed.splitlines())

    def test_converged_order_ends_with_equal_balances(self):
        _, output = self.run_ok("--order", "converged")
        self.assertEqual([entry["recv"][-1]["balance"] for entry in output], [500, 500, 500])

    def test_concurrent_order_is_judged_consistent(self):
        self.run_ok("--order", "concurrent")

    def test_fifty_branches(self):
        entries, expected = json.loads((INPUT / "fifty_branches.json").read_text()), self.expected("fifty_branches.json")
        if bank.PATIENCE > 1:  # sanitized: ten of them, as five voters and five that only receive the log
            entries = [entry for entry in entries if entry["id"] <= 10]
            up = [result for result in expected[:50] if result["id"] <= 10]
            down = [result for result in expected[50:] if result["id"] <= 10]
            for result in down:  # they begin at 500 instead of 900
                result["recv"][-1]["balance"] -= 400
            expected = up + down
        shape = pathlib.Path(self.folder.name) / "branches.json"
        shape.write_text(json.dumps(entries))
        _, output = self.run_ok(shape)
        self.assertEqual(output, expected)

    def test_mutual_tls(self):
        _, output = self.run_ok("--tls")
        self.assertEqual(output, self.expected("three_branches.json"))

    def many(self, count):
        """An input of so many customer entries, each of which pays in 1 and asks."""
        events = [{"id": 1, "interface": "deposit", "money": 1}, {"id": 2, "interface": "query"}]
        script = pathlib.Path(self.folder.name) / "many.json"
        script.write_text(json.dumps([*({"id": i % 3 + 1, "type": "customer", "events": events} for i in range(count)),
                                      *({"id": i, "type": "branch", "balance": 400} for i in (1, 2, 3))]))
        return script

    def test_many_entries_act_in_every_order(self):
        count = 300
        script = self.many(count)
        final = lambda output: [entry["recv"][-1]["balance"] for entry in output]
        self.assertEqual(final(self.run_ok(script)[1]), list(range(401, 401 + count)))
        self.assertEqual(final(self.run_ok(script, "--order", "converged")[1]), [400 + count] * count)
        self.assertEqual(len(final(self.run_ok(script, "--order", "concurrent")[1])), count)

    def test_many_entries_at_once_are_not_as_many_processes(self):
        """Whoever conducts them has two pipes to each process, and may open fewer files than that."""
        few_files = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        with bank.Bank() as branches:
            done = subprocess.run([bank.BIN / "customer", "replay", self.many(300), "--order", "concurrent", "--at", branches.addresses, "--output", self.output],
                                  capture_output=True, text=True, timeout=120 * bank.PATIENCE, preexec_fn=few_files)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(json.loads(self.output.read_text())), 300)

    def test_ids_that_do_not_fit_a_fixed_base_are_one_clear_line(self):
        done = run_all(INPUT / "forms/branch_ids.json", "--base-port", "50050")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(done.stderr, "run_all.sh: --base-port 50050: branch 21000 would be at port 71050, and the highest is 65535\n")

    def test_lenient_forms_run(self):
        forms = sorted((INPUT / "forms").glob("*.json"))
        self.assertGreaterEqual(len(forms), 3)
        for form in forms:
            with self.subTest(form.name):
                self.run_ok(form)

    def test_malformed_inputs_are_refused_in_one_line(self):
        malformed = sorted((INPUT / "malformed").glob("*.json"))
        self.assertGreaterEqual(len(malformed), 12)
        for path in malformed:
            with self.subTest(path.name):
                done = run_all(path, "--output", self.output)
                self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
                self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
                self.assertIn(path.name, done.stderr)
                self.assertFalse(self.output.exists())

    def test_an_output_without_a_place_is_refused_before_a_branch_starts(self):
        script = pathlib.Path(self.folder.name) / "input.json"
        script.write_text((INPUT / "three_branches.json").read_text())
        for place in ("/nonexistent/folder/answers.json", self.folder.name, script):
            with self.subTest(place):
                done = run_all(script, "--output", place)
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertEqual(done.stdout, "")
                self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
                self.assertIn(f"--output: {place}", done.stderr)
        self.assertEqual(script.read_text(), (INPUT / "three_branches.json").read_text())

    def test_what_lies_in_the_environment_reaches_no_process_of_the_run(self):
        """A flag of the programs may be a variable; run_all.sh says all that its programs need."""
        lying_about = {"BANK_ORDER": "nonsense", "BANK_AT": "1=localhost:1", "BANK_ID": "9", "BANK_PEERS": "9=localhost:1", "BANK_WRITE": "nonsense",
                       "BANK_TLS_CA": "/nonexistent", "BANK_CONFIG": "/nonexistent", "BANK_INITIAL_BALANCE": "7"}
        done = run_all("--output", self.output, env={**os.environ, **lying_about})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(json.loads(self.output.read_text()), self.expected("three_branches.json"))

    def test_taken_port_is_one_clear_line(self):
        base = bank.free_base_port(3)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", base + 2))
            taken.listen()
            done = run_all("--base-port", base)
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertIn(str(base + 2), done.stderr)

    def test_a_full_standard_output_is_one_clear_line(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([bank.ROOT / "run_all.sh", "--no-build"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120 * bank.PATIENCE)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(done.stderr, "run_all.sh: [Errno 28] No space left on device\n")

    def test_two_runs_side_by_side(self):
        runs = [subprocess.Popen([bank.ROOT / "run_all.sh", "--no-build"], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True) for _ in range(2)]
        for run in runs:
            printed, _ = run.communicate(timeout=60 * bank.PATIENCE)
            self.assertEqual(run.returncode, 0, printed)

    def test_serve_takes_the_reports_own_client_until_sigterm(self):
        import grpc
        messages, stubs = report_client.load()
        base = bank.free_base_port(3)
        serving = subprocess.Popen([bank.ROOT / "run_all.sh", "--no-build", "--serve", "--base-port", str(base)],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            for line in serving.stdout:
                if line.startswith("Ctrl-C"):
                    break
            with grpc.insecure_channel(f"localhost:{base + 1}") as channel:
                stub = stubs.RPCServicerStub(channel)
                ask = lambda what, money=0: stub.MsgDelivery(
                    messages.request_service(request=what, money=money), timeout=10 * bank.PATIENCE)
                self.assertEqual(ask("query").money, 400)
                self.assertTrue(ask("deposit", 170).success)
                self.assertFalse(ask("withdraw", 1000).success)
            with grpc.insecure_channel(f"localhost:{base + 3}") as channel:
                reply = stubs.RPCServicerStub(channel).MsgDelivery(
                    messages.request_service(request="query"), timeout=10 * bank.PATIENCE)
                self.assertEqual(reply.money, 570)
        finally:
            serving.send_signal(signal.SIGTERM)
            serving.communicate(timeout=bank.STOP_SECONDS)
        self.assertEqual(serving.returncode, 143)
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", base + 1))


if __name__ == "__main__":
    unittest.main()

"""run_all.sh --against: somebody else's bank is run, judged and stopped, whatever it does.

Method: tests/against/racy_bank.py loses its races each time, at barriers; tests/against/unruly.py keeps a FIFO open
in every process that comes of it, and the FIFO's end tells that none is left.
"""
import json
import os
import pathlib
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile

import bank
import refusals

THEIRS = bank.ROOT / "tests/against"
INPUT = bank.ROOT / "input"
sys.path.insert(0, str(bank.ROOT / "scripts/run"))
import description  # noqa: E402

RIGHT, USAGE, BAD_INPUT, NOT_RUN, UNKNOWN, WRONG = 0, 1, 2, 3, 4, 6
PYTHON = "/usr/bin/python3"  # which has gRPC
LIMIT_S = 60 * bank.PATIENCE
LOG_BYTES_MAX = 4 << 20


def project_1(*customers, balance=400, branches=2):
    """An input. Each customer: its branch, then the events: amounts (withdrawals below 0), None for a query."""
    def event(amount):
        return {"interface": "query"} if amount is None else {"interface": "deposit" if amount > 0 else "withdraw", "money": abs(amount)}
    return [*({"id": branch, "type": "customer", "events": [event(amount) for amount in events]} for branch, *events in customers),
            *({"id": branch, "type": "branch", "balance": balance} for branch in range(1, branches + 1))]


ONE_QUERY = project_1((1, None), branches=1)
TWO_DEPOSITS = project_1((1, 100, None), (2, 10, None))
TWO_WITHDRAWALS = project_1((1, -300), (2, -300))


class Against(refusals.Refusals):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "out"

    def file(self, name, content):
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def command(self, keys, entries, *arguments):
        source = entries if isinstance(entries, pathlib.Path) else self.file("input.json", entries)
        return [bank.ROOT / "run_all.sh", "--no-build", "--against", self.file("theirs.json", keys), source, "--out", self.out, *arguments]

    def against(self, keys, entries, *arguments):
        return subprocess.run(self.command(keys, entries, *arguments), capture_output=True, text=True, timeout=3 * LIMIT_S, errors="replace")

    def run_folder(self):
        return (self.out / "latest").resolve()

    def log(self, name="customers"):
        return (self.run_folder() / f"{name}.log").read_text(errors="replace")


class Verdicts(Against):
    """The judge convicts each fault, and acquits the bank that has none."""

    def racy(self, fault="none", project=1, **more):
        return {"folder": str(THEIRS), "time_limit_s": LIMIT_S,
                "branches": f"{PYTHON} racy_bank.py serve {{input}} --peers {{peers}} --fault {fault}",
                "customers": f"{PYTHON} racy_bank.py ask {{input}} {{output}} --peers {{peers}} --project {project}", **more}

    def convicted(self, done, *words):
        self.assertEqual((done.returncode, done.stderr), (WRONG, ""), done.stdout)
        for word in ("verdict  wrong", "\nfault 1: ", *words):
            self.assertIn(word, done.stdout)

    def acquitted(self, done):
        self.assertEqual((done.returncode, done.stderr), (RIGHT, ""), done.stdout)
        self.assertIn("verdict  right", done.stdout)

    def test_without_a_fault(self):
        for entries in (TWO_DEPOSITS, TWO_WITHDRAWALS, INPUT / "three_branches.json"):
            self.acquitted(self.against(self.racy(), entries, "--order", "concurrent"))
        for entries in (INPUT / "logical_clocks.json", INPUT / "refused_write.json"):
            self.acquitted(self.against(self.racy(project=2), entries))

    def test_a_command_per_branch_that_says_when_it_listens(self):
        keys = self.racy(ready="listens")
        keys["branches"] += " --only {id} # {port} {balance}"
        done = self.against(keys, TWO_DEPOSITS, "--order", "concurrent")
        self.acquitted(done)
        for branch in (1, 2):
            self.assertIn(f"branch {branch}: {PYTHON} racy_bank.py serve", done.stdout)
            self.assertEqual(self.log(f"branch-{branch}"), f"branch {branch} listens\n")

    def test_lost_update(self):
        self.convicted(self.against(self.racy("lost_update"), TWO_DEPOSITS, "--order", "concurrent"), "customer")

    def test_a_withdrawal_that_is_checked_too_early(self):
        self.convicted(self.against(self.racy("check_then_act"), TWO_WITHDRAWALS, "--order", "concurrent"), "money was spent twice")

    def test_a_refused_withdrawal_is_propagated(self):
        self.convicted(self.against(self.racy("refused_too", project=2), INPUT / "refused_write.json"), "nothing is propagated for a refused withdrawal")

    def test_deadlock(self):
        # The limit is for a run that never ends; what comes before it waits for `ready`, not for time.
        done = self.against({**self.racy("deadlock"), "time_limit_s": 25 * bank.PATIENCE}, TWO_DEPOSITS, "--order", "concurrent")
        self.refused(done, NOT_RUN, "theirs.json: customers: did not end within", "customers.log")
        for branch in (1, 2):
            self.assertIn(f"branch {branch} keeps its one worker\n", self.log("branches"))


class Wire(Against):
    """Our customers at their branches: what they recorded is judged."""

    def racy(self, more="--only {id}", **keys):
        return {"folder": str(THEIRS), "time_limit_s": LIMIT_S, "branches": f"{PYTHON} racy_bank.py serve {{input}} --peers {{peers}} {more}", "wire": True, **keys}

    def history(self):
        return [json.loads(line) for line in (self.run_folder() / "history.jsonl").read_text().splitlines()]

    def judged(self, done, exit_code, *words):
        self.assertEqual((done.returncode, done.stderr), (exit_code, ""), done.stdout)
        for word in words:
            self.assertIn(word, done.stdout)
        self.assertIn("<html", (self.run_folder() / "timeline.html").read_text()[:200])

    def test_without_a_fault(self):
        for order in ("sequential", "concurrent"):
            done = self.against(self.racy(), INPUT / "three_branches.json", "--order", order)
            self.judged(done, RIGHT, "verdict  consistent", "8 answered, 0 of unknown outcome")
        self.assertEqual([line["type"] for line in self.history()].count("invoke"), 8)

    def test_faults(self):
        self.judged(self.against(self.racy("--fault lost_update"), TWO_DEPOSITS, "--order", "concurrent"), WRONG, "verdict  inconsistent", "not-linearizable")
        self.judged(self.against(self.racy("--fault check_then_act"), TWO_WITHDRAWALS, "--order", "concurrent"), WRONG, "verdict  inconsistent")

    def test_a_deadlock(self):
        done = self.against(self.racy("--fault deadlock"), project_1((1, 100), (2, 10)), "--order", "concurrent")
        # Both writes end by their deadline, and so may whoever asks behind them.
        self.assertIn(done.returncode, (NOT_RUN, UNKNOWN), done.stdout + done.stderr)
        self.assertIn("DEADLINE_EXCEEDED", self.log())

    def test_a_branch_is_paused_or_killed_halfway(self):
        halves = project_1((1, 100, None), (2, 10, None))
        for flag, word, answered in (("--pause", "paused", 4), ("--kill", "killed", 3)):
            done = self.against(self.racy(), halves, flag, "2")
            self.judged(done, RIGHT, f"branch 2 is {word}\n", f"{answered} answered, 2 of unknown outcome", "verdict  consistent")
            self.assertEqual([(line["process"], line["op"]) for line in self.history() if line["type"] == "info"], [(2, "deposit"), (2, "query")])

    def test_a_service_of_other_words(self):
        keys = {"folder": str(THEIRS), "prepare": f"{PYTHON} -m grpc_tools.protoc -I. --python_out=. --grpc_python_out=. other.proto",
                "branches": f"{PYTHON} other_bank.py localhost:{{port}} {{balance}}", "time_limit_s": LIMIT_S,
                "wire": {"proto": "other.proto", "method": {"query": "other.Bank.Look", "deposit": "other.Bank.Change", "withdraw": "other.Bank.Change"},
                         "operation": "operation", "amount": "amount", "result": "status", "balance": "parts.balance", "fields": {"origin": "customer"},
                         "words": {"query": "LOOK", "deposit": "PUT_IN", "withdraw": 3, "success": "done"}}}
        done = self.against(keys, project_1((1, 100, None, -501, -500, None), branches=1))
        self.judged(done, RIGHT, "withdraw 501: fail", "withdraw 500: success", "query: balance 0\n")
        wrong = json.loads(json.dumps(keys))
        for key, value, word in (("amount", "money", "\"amount\": message other.Order has no field 'money'; it has operation, amount, origin"),
                                 ("balance", "status", "other.Answer.status is of a kind that does not fit"), ("balance", "status.x", "'status' is not a message"),
                                 ("balance", "parts", "other.Answer.parts is of a kind that does not fit"), ("proto", "none.proto", "protoc cannot read"),
                                 ("method", "other.Bank.Put", "has no service with the method 'other.Bank.Put'"), ("fields", {"who": 1}, "cannot be filled"),
                                 ("words", {"query": "SEE"}, "there is no Kind 'SEE'")):
            wrong["wire"] = {**keys["wire"], key: value}
            self.refused(self.against(wrong, ONE_QUERY), BAD_INPUT, "theirs.json: \"wire\": ", word)

    def test_no_such_service(self):
        keys = {**self.racy(), "wire": {"proto": "other.proto", "method": "other.Bank.Change", "result": "status", "balance": "parts.balance", "operation": None, "amount": "amount"}}
        self.refused(self.against(keys, ONE_QUERY), NOT_RUN, "customers: ended with exit code 1; it said last: not one call was answered; the last one: UNIMPLEMENTED")

    def test_what_has_no_effect(self):
        self.refused(self.against(self.racy(), TWO_DEPOSITS, "--order", "converged"), USAGE, "--order converged has no effect")
        self.refused(self.against(self.racy(), TWO_DEPOSITS, "--pause", "3"), USAGE, "--pause 3: the input has no such branch")
        self.refused(self.against(self.racy(""), TWO_DEPOSITS, "--kill", "1"), USAGE, "--kill needs \"wire\" and a command per branch")
        self.refused(self.against({"customers": "true"}, TWO_DEPOSITS, "--kill", "1"), USAGE, "--kill needs \"wire\"")


class Unruly(Against):
    def setUp(self):
        super().setUp()
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        self.fifo = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, self.fifo)

    def line(self, *deeds):
        return f"{sys.executable} unruly.py {shlex.quote(str(self.folder / 'fifo'))} {{output}} {shlex.join(deeds)}"

    def unruly(self, *deeds, **more):
        return {"folder": str(THEIRS), "customers": self.line(*deeds), "time_limit_s": LIMIT_S, **more}

    def heard(self):
        """What they said; fails if one of them is left."""
        said = b""
        while True:
            try:
                data = os.read(self.fifo, 1 << 16)
            except BlockingIOError:
                self.fail(f"one of their processes is left; they said {said}")
            if not data:
                return said.decode().split()
            said += data

    def ran(self, done):
        self.assertEqual((done.returncode, done.stderr), (RIGHT, ""), done.stdout)

    def test_all_are_stopped(self):
        self.ran(self.against(self.unruly("daemon", "chain", "daemon", "babble", "answer"), ONE_QUERY))
        self.assertCountEqual(self.heard(), ["daemon", "chain", "daemon", "babble"])

    def test_all_are_stopped_when_time_is_up(self):
        done = self.against(self.unruly("daemon", "stubborn", time_limit_s=10), ONE_QUERY)
        self.refused(done, NOT_RUN, "theirs.json: customers: did not end within 10 s; it said nothing", "customers.log", '"ends": false')
        self.assertIn("daemon", self.heard())

    def test_all_are_stopped_when_we_are(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = subprocess.Popen(self.command(self.unruly("daemon", "stubborn"), ONE_QUERY), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            with process.stdout, process.stderr:
                writer = os.open(self.folder / "fifo", os.O_WRONLY)  # so that there is no end before somebody has written
                said = b""
                while b"stubborn" not in said:
                    self.assertTrue(select.select([self.fifo], [], [], LIMIT_S)[0], "nobody said that it runs")
                    said += os.read(self.fifo, 1 << 10)
                os.close(writer)
                self.assertIsNone(process.poll())
                process.send_signal(number)
                self.assertEqual(process.wait(LIMIT_S), 128 + number)
            self.heard()

    def test_branches_too(self):
        keys = self.unruly("answer", branches=self.line("daemon", "stubborn") + " {id}", ready="x")
        keys["branches"] = f"echo x; exec {keys['branches'].replace('{output}', 'none').replace(' {id}', '')} # {{id}}"
        self.ran(self.against(keys, ONE_QUERY))
        self.heard()

    def test_flood(self):
        self.ran(self.against(self.unruly("flood", "answer"), ONE_QUERY))
        size = (self.run_folder() / "customers.log").stat().st_size
        self.assertTrue(LOG_BYTES_MAX <= size < LOG_BYTES_MAX + 100, size)
        self.refused(self.against(self.unruly("flood", "crash"), ONE_QUERY), NOT_RUN, "there is no such branch")  # the last line, not the last kept

    def test_large_file(self):
        self.refused(self.against(self.unruly("large", "answer"), ONE_QUERY), NOT_RUN, "customers")

    def test_crash(self):
        done = self.against(self.unruly("answer", "crash"), ONE_QUERY)
        self.refused(done, NOT_RUN, "theirs.json: customers: ended with exit code 9; it said last: there is no such branch (log: ")
        self.assertIn(str(self.run_folder() / "customers.log"), done.stderr)
        self.refused(self.against({**self.unruly("answer"), "prepare": "echo no compiler; false"}, ONE_QUERY), NOT_RUN,
                     "prepare: ended with exit code 1; it said last: no compiler")
        self.refused(self.against({**self.unruly("answer"), "branches": "kill -9 $$"}, ONE_QUERY), NOT_RUN, "branches: was killed by signal 9 before it was ready")
        self.refused(self.against({"folder": str(THEIRS), "customers": "printf 'red \\033[31m line\\n'; exit 3"}, ONE_QUERY), NOT_RUN, "said last: red  [31m line (")

    def test_no_output(self):
        self.refused(self.against(self.unruly("nothing"), ONE_QUERY), NOT_RUN, "customers: wrote no file output.json; it said nothing")
        self.refused(self.against({**self.unruly("answer"), "output": "answers/all.json", "customers": "mkfifo {output}"}, ONE_QUERY), NOT_RUN,
                     "wrote no file answers/all.json")

    def test_an_output_that_cannot_be_read(self):
        self.refused(self.against({"folder": str(THEIRS), "customers": "echo no answers > {output}"}, ONE_QUERY), NOT_RUN, "output.json")

    def test_branches_that_do_not_get_ready(self):
        waits = self.unruly("answer", time_limit_s=2, branches="exec tail -f /dev/null")
        self.refused(self.against(waits, ONE_QUERY), NOT_RUN, "branches: not ready within 2 s: they listen at 0 ports, and the input has 1 branches")
        self.refused(self.against({**waits, "ready": "listens"}, ONE_QUERY), NOT_RUN, '"listens" was not said')
        self.refused(self.against({**waits, "ready": 50051}, ONE_QUERY), NOT_RUN, "listens at port 50051")
        self.refused(self.against({**waits, "branches": "exec tail -f /dev/null # {port}"}, ONE_QUERY), NOT_RUN, "branch 1: not ready", "listens at port")

    def test_a_program_that_never_ends(self):
        self.ran(self.against(self.unruly("answer", "stubborn", ends=False), ONE_QUERY))
        late = self.against(self.unruly("nothing", "stubborn", ends=False, time_limit_s=3), ONE_QUERY)
        self.refused(late, NOT_RUN, "wrote no file output.json")
        wrong = self.against({"folder": str(THEIRS), "customers": "echo '[{\"id\":1,\"recv\":[{\"interface\":\"query\",\"balance\":0}]}]' > output.json; exec tail -f /dev/null", "ends": False, "time_limit_s": 5}, ONE_QUERY)
        self.assertEqual((wrong.returncode, wrong.stderr), (WRONG, ""), wrong.stdout)

    def test_what_was_there_before(self):
        """Their folder stays as it is, and answers of before are no answers."""
        own = self.folder / "own"
        (own / ".git").mkdir(parents=True)
        (own / "output.json").write_text((INPUT / "expected/three_branches.json").read_text())
        (own / "input.json").write_text("theirs")
        os.mkfifo(own / "pipe")
        (own / "link").symlink_to("output.json")
        before = sorted(own.iterdir())
        keys = {"folder": "own", "input": "tests/in put.json", "customers": "cat {input} > seen; ls -A"}
        self.refused(self.against(keys, INPUT / "three_branches.json"), NOT_RUN, "wrote no file output.json")
        self.assertEqual((self.run_folder() / "theirs/seen").read_text(), (INPUT / "three_branches.json").read_text())
        self.assertEqual(self.log().split(), ["input.json", "link", "seen", "tests"])
        self.assertEqual(sorted(own.iterdir()), before)

    def test_no_variables_of_ours(self):
        done = subprocess.run(self.command(self.unruly("variables", "answer"), ONE_QUERY), capture_output=True, text=True, timeout=LIMIT_S,
                              env={**os.environ, "BANK_ORDER": "concurrent"})
        self.ran(done)
        self.assertEqual(self.log(), "[]\n")

    def test_three_files(self):
        elements = json.loads((INPUT / "expected/one_write.json").read_text())
        parts = [[e for e in elements if "events" in e and e["type"] == kind] for kind in ("customer", "branch")] + [[e for e in elements if "events" not in e]]
        own = self.folder / "own"
        own.mkdir()
        for number, part in enumerate(parts):
            (own / f"{number}.txt").write_text(json.dumps(part))
        keys = {"folder": "own", "output": ["a.json", "b.json", "c.json"], "customers": "set -- {output}; for i in 0 1 2; do cp $i.txt $1; shift; done"}
        self.ran(self.against(keys, INPUT / "one_write.json"))

    def test_a_taken_port(self):
        with socket.create_server(("localhost", 0)) as taken:
            port = taken.getsockname()[1]
            keys = self.unruly("answer", branches="true", base_port=port - 1)
            self.refused(self.against(keys, ONE_QUERY), NOT_RUN, f'"base_port": port {port} of branch 1 is taken')
        keys["base_port"] = 65535
        self.refused(self.against(keys, ONE_QUERY), BAD_INPUT, '"base_port": branch 1 would be at port 65536')


class Refused(Against):
    GOOD = {"customers": "true"}

    def test_every_key(self):
        cases = [
            ("{", "is not JSON", "line 1"), ("[]", "not a JSON object"), ('{"customers":"true","customers":"false"}', '"customers" is there twice'),
            ("[" * 100_000, "is not JSON"), ('{"customers":"\ud800"}'.encode("utf-8", "surrogatepass").decode("latin-1"), ""),
            ({}, '"customers" is missing'), ({"customers": 1}, '"customers" is not a text'), ({"customers": " "}, '"customers" is not a text'),
            ({"customers": "a\0b"}, '"customers" is not a text'), ({**self.GOOD, "clients": "x"}, '"clients" is not a key', "customers"),
            ({"customers": "x {inptu}"}, '"customers": {inptu} is not known here', "{input}"), ({"customers": "x {id}"}, '"customers": {id} is not known'),
            ({**self.GOOD, "prepare": ""}, '"prepare" is not a text'), ({**self.GOOD, "branches": ["x"]}, '"branches" is not a text'),
            ({**self.GOOD, "folder": "none"}, '"folder": there is no folder'), ({**self.GOOD, "folder": 1}, '"folder" is not a text'),
            ({**self.GOOD, "input": "/etc/passwd"}, '"input": \'/etc/passwd\' is not inside'), ({**self.GOOD, "output": "../x"}, '"output": \'../x\' is not inside'),
            ({**self.GOOD, "output": []}, '"output" names 0 files'), ({**self.GOOD, "output": list("abcd")}, '"output" names 4 files'),
            ({**self.GOOD, "output": ["a", "a"]}, '"output" names a file twice'), ({**self.GOOD, "output": "input.json"}, '"output" names a file twice, or the input'),
            ({**self.GOOD, "output": {}}, '"output" is not a text'), ({**self.GOOD, "ready": "x"}, '"ready" has no effect without "branches"'),
            ({**self.GOOD, "base_port": 1}, '"base_port" has no effect'), ({**self.GOOD, "branches": "x", "ready": True}, '"ready" is neither'),
            ({**self.GOOD, "branches": "x", "ready": 70000}, '"ready" is neither'), ({**self.GOOD, "branches": "x", "base_port": "x"}, '"base_port" is not a whole number'),
            ({**self.GOOD, "time_limit_s": 0}, '"time_limit_s" is not a whole number from 1 to 3600'), ({**self.GOOD, "time_limit_s": 1.5}, '"time_limit_s"'),
            ({**self.GOOD, "time_limit_s": True}, '"time_limit_s"'), ({**self.GOOD, "ends": "no"}, '"ends" is neither true nor false'),
            (" " * (1 << 20) + "{}", "larger than 1 MiB"),
            ({**self.GOOD, "wire": True}, '"customers" has no effect with "wire"'), ({"wire": True}, '"branches" is missing'),
            ({"wire": True, "branches": "x"}, '"branches": nothing tells where they listen'), ({"wire": 1, "branches": "{port}"}, '"wire" is neither true'),
            ({"wire": {"service": 1}, "branches": "{port}"}, '"wire": "service" is not a key; known are proto, method'),
            ({"wire": {"method": {"query": "A.B"}}, "branches": "{port}"}, '"method deposit" is not a text'),
            ({"wire": {"amount": None}, "branches": "{port}"}, '"amount" is not a text'), ({"wire": {"proto": "/a"}, "branches": "{port}"}, '"proto": \'/a\' is not inside'),
            ({"wire": {"fields": []}, "branches": "{port}"}, '"fields" is not an object'), ({"wire": {"words": {"put": "x"}}, "branches": "{port}"}, '"words": "put" is not one of'),
        ]
        for content, *words in cases:
            with self.subTest(words=words):
                path = self.file("theirs.json", content)
                if words == [""]:  # a text that is no UTF-8 once written so
                    path.write_bytes(b'{"customers":"\xff"}')
                    words = ["is not JSON"]
                with self.assertRaises(description.Bad) as raised:
                    description.read(path)
                for word in (f"{path}: ", *words):
                    self.assertIn(word, str(raised.exception))
                self.assertEqual(len(str(raised.exception).splitlines()), 1)

    def test_as_a_user_sees_it(self):
        done = self.against({"customer": "true"}, ONE_QUERY)
        self.refused(done, BAD_INPUT, "theirs.json: \"customer\" is not a key; known are folder, prepare, branches, customers")
        self.assertFalse(self.out.exists())
        none = subprocess.run([bank.ROOT / "run_all.sh", "--no-build", "--against", "none.json"], cwd=self.folder, capture_output=True, text=True, timeout=LIMIT_S)
        self.refused(none, BAD_INPUT, f"{self.folder}/none.json: cannot be read: No such file or directory")
        self.refused(self.against(self.GOOD, INPUT / "malformed/negative_request.json"), BAD_INPUT, "negative_request.json: element 1")
        self.refused(self.against({"customers": "true", "output": "sub", "folder": str(bank.ROOT / "input")} | {"output": "forms"}, ONE_QUERY), BAD_INPUT, "forms is a folder")
        self.refused(self.against(self.GOOD, INPUT / "logical_clocks.json", "--order", "concurrent"), USAGE, "--order has no effect")
        self.refused(self.against(self.GOOD, ONE_QUERY, "--tls"), USAGE, "--tls has no effect with --against")

    def test_what_is_not_a_place_is_the_shells(self):
        path = self.file("theirs.json", {"customers": "echo ${HOME} {a,b} {} {input}"})
        theirs = description.read(path)
        self.assertEqual(theirs.line("customers", {"input": "/a b/c"}), "echo ${HOME} {a,b} {} '/a b/c'")


if __name__ == "__main__":
    import unittest
    unittest.main()

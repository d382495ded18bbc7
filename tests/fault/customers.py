"""Steps about customers: the load, an input of the exercise, twins; and the judgement of all that they were told."""
import json
import signal
import subprocess
import time

import bank
import customer
from trial import WAIT_SECONDS
from twins import Twins

# The judge reads all histories as one: processes of each kind of customer are numbered apart.
REPLAY_PROCESSES, TWINS_PROCESSES = 1000, 2000
LOAD = {"--mode": "unary", "--concurrency": "8", "--accounts": "8", "--mix": "deposit=3,withdraw=3,query=3,transfer=1"}


class CustomerSteps:
    load = replay = None
    twins = ()

    def begin_load(self):
        self.history = self.bank.folder / "history.jsonl"
        self.answers_read = 0  # of the history: how many answers, and how far it was read
        self.history_read = 0
        self.own_deposits = 0  # to the shared account, by the steps themselves
        self.twins = []
        arguments = self.load_arguments or [word for flag in LOAD.items() for word in flag]
        if "--operation-timeout" not in arguments:
            arguments += ["--operation-timeout", "20"]
        self.load = subprocess.Popen(
            [bank.BIN / "customer", "load", "--at", self.bank.addresses, "--history", self.history, "--seed", str(self.seed),
             "--seconds", "86400", "-w", "json", *arguments],
            stdout=subprocess.PIPE, stderr=open(self.bank.folder / "load.log", "w"), text=True)
        self.do_ops(100)

    def end_customers(self):
        for twins in self.twins:
            twins.finish(WAIT_SECONDS)
        if self.replay:
            printed, _ = self.replay.communicate(timeout=WAIT_SECONDS)
            assert self.replay.returncode == 0, f"customer replay ended with {self.replay.returncode}: {printed[-500:]}"
        self.load.send_signal(signal.SIGTERM)  # no new operations; those under way are finished
        printed, _ = self.load.communicate(timeout=WAIT_SECONDS)
        # 4: outcomes that stayed unknown; the checker takes them as such.
        assert self.load.returncode in (0, 4), f"customer load ended with {self.load.returncode}: {printed}"

    def kill_customers(self):
        for twins in self.twins:
            twins.stop()
        for process in (self.load, self.replay):
            if process and process.poll() is None:
                process.kill()
                process.wait()

    def do_ops(self, count):
        """Waits until `count` more operations were answered."""
        goal = self.answered() + int(count)
        self.wait_for(lambda: self.answered() >= goal, f"{count} more operations")

    def answered(self):
        """Operations that were answered since the load began."""
        if self.load.poll() is not None:
            raise AssertionError(f"customer load ended with {self.load.returncode}: {(self.bank.folder / 'load.log').read_text()[-500:]}")
        if self.history.exists():
            with open(self.history, "rb") as history:
                history.seek(self.history_read)
                new = history.read()
            whole = new[:new.rfind(b"\n") + 1]
            self.history_read += len(whole)
            self.answers_read += whole.count(b'{"type":"ok"')
        return self.answers_read

    def do_replay(self, customers, operations, *flags):
        """Customers of an exercise's input, all at once, each with so many operations on the shared account. All must be answered."""
        entries = [{"id": number, "type": "customer", "events": [
            {"id": i, "interface": self.rng.choice(["deposit", "withdraw", "query"]), "money": self.rng.randint(1, 9)}
            for i in range(1, int(operations) + 1)]} for number in self.bank.ids * int(customers)]
        entries += [{"id": number, "type": "branch", "balance": self.bank.balance} for number in self.bank.ids]
        script = self.bank.folder / "input.json"
        script.write_text(json.dumps(entries))
        self.replay = subprocess.Popen(
            [bank.BIN / "customer", "replay", script, "--order", "concurrent", "--at", self.bank.addresses,
             "--history", self.bank.folder / "replay.jsonl", "-w", "json", *flags],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def do_twins(self, count):
        """Customers of our own that send every write twice at once, with one key, through two branches (twins.py)."""
        for number in range(int(count)):
            self.twins.append(Twins({i: self.bank.address(i) for i in self.bank.ids}, f"twins-{number + 1}",
                                    TWINS_PROCESSES + number, self.rng.randrange(1 << 32)))

    def do_stale_reads(self, word, seconds):
        """Pauses a branch, has the others acknowledge deposits, and asks the branch as it wakes: it may not answer what was before them.

        The questions are sent after the deposits were acknowledged and wait in its connections, which are open already; half of them are
        read as soon as it runs, the rest follow while it finds out that it was away."""
        (asleep,) = self.targets(word)
        awake = next(i for i in self.bank.running() if i != asleep)
        readers = [customer.Customer(self.bank.address(asleep)) for _ in range(8)]
        writer = customer.Customer(self.bank.address(awake))
        for reader in readers:
            assert reader.query(WAIT_SECONDS) is not None
        self.do_pause(str(asleep))
        self.do_hold(seconds)
        balance = self.wait_for(lambda: writer.deposit(1, WAIT_SECONDS), "a deposit")
        self.own_deposits += 1
        asked = [reader.begin_query(WAIT_SECONDS) for reader in readers]
        self.do_continue(str(asleep))
        answers = [reader.query(WAIT_SECONDS) for reader in readers for _ in range(20)]
        answers += [customer.balance_of(question) for question in asked]
        stale = [answer for answer in answers if answer is not None and answer < balance]
        assert not stale, f"branch {asleep} answered {stale} after {balance} was acknowledged"
        for one in [writer, *readers]:
            one.close()

    # --- Judgement ------------------------------------------------------------------------------
    def judge(self):
        """Nobody but the recorded customers has changed anything: the checker can account for the whole bank."""
        header, events = self.read_history(self.history, 0)
        header["initial"][bank.SHARED] = self.bank.balance + self.own_deposits
        if self.replay:
            events += self.read_history(self.bank.folder / "replay.jsonl", REPLAY_PROCESSES)[1]
        for twins in self.twins:
            events += twins.events
        events.sort(key=lambda event: event["ns"])
        judged = self.bank.folder / "judged.jsonl"
        with open(judged, "w") as lines:
            for record in [header, *events]:
                lines.write(json.dumps(record, separators=(",", ":")) + "\n")
        verdict = subprocess.run([bank.BIN / "checker", judged, "--digests", self.bank.folder / "digests.jsonl"],
                                 capture_output=True, text=True, timeout=120 * bank.PATIENCE)
        assert verdict.returncode == 0, f"checker: exit {verdict.returncode}: {verdict.stdout}{verdict.stderr}"
        assert "not compared" not in verdict.stdout, f"checker: {verdict.stdout}"

    @staticmethod
    def read_history(path, processes):
        with open(path) as lines:
            header, *events = map(json.loads, lines)
        for event in events:
            event["process"] += processes
        return header, events

    def figures(self):
        """Operations answered a second, and their p99, while faults lasted."""
        if not self.windows:
            return {}
        invoked, latencies = {}, []
        with open(self.history) as lines:
            for line in lines:
                event = json.loads(line)
                key = (event.get("process"), event.get("id"))
                if event["type"] == "invoke":
                    invoked[key] = event["ns"]
                elif event["type"] == "ok" and any(a <= event["ns"] <= b for a, b in self.windows):
                    latencies.append(event["ns"] - invoked[key])
        seconds = sum(b - a for a, b in self.windows) / 1e9
        latencies.sort()
        return {"rate": len(latencies) / seconds,
                "p99_ms": latencies[int(len(latencies) * 0.99)] / 1e6 if latencies else float("nan")}

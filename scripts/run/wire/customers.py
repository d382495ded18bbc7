"""Our customers at somebody else's branches: they ask what the input says, over the service that "wire" describes.

One thread per customer entry, each with a connection of its own. A call that fails or takes too long is of
unknown outcome, and its customer goes on. `--pause` and `--kill` hit a branch when half of the operations are done.
Exit codes: 0 all were asked; 2 the description or the input cannot be used; 3 gRPC for Python is missing.
"""
import argparse
import json
import os
import pathlib
import signal
import sys
import threading

try:
    import grpc
    import history
    import service
except ImportError as error:
    print(f"customers on the wire need gRPC for Python ({error}); apt-get install python3-grpcio python3-protobuf", file=sys.stderr)
    sys.exit(3)

CALL_SECONDS = 5
CHANNEL = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]  # connections of its own; one call is one request


def say(text):
    """One line, whole beside those of other threads."""
    os.write(sys.stdout.fileno(), f"{text}\n".encode(errors="replace"))


class Customer:
    """One customer entry. `process`: its number in the history, from 1."""

    def __init__(self, process, run):
        self.process, self.run = process, run
        self.channels = {}
        self.asked = 0

    def ask(self, branch, operation, amount, seconds=CALL_SECONDS):
        self.asked += 1
        call = self.run.calls[operation]
        record = history.operation(self.process, self.asked, operation, amount, branch)
        self.run.history.invoke(record)
        if branch not in self.channels:
            self.channels[branch] = grpc.insecure_channel(self.run.addresses[branch], options=CHANNEL)
        try:
            reply = self.channels[branch].unary_unary(call.path)(call.fill(amount), timeout=seconds)
        except grpc.RpcError as error:
            reason = " ".join(f"{error.code().name}: {error.details()}".split())
            return self._end(record, "info", reason, branch=0, reason=reason)
        try:
            succeeded, balance = call.read(reply)
        except Exception as error:  # whatever a foreign message makes of a parser
            return self._end(record, "info", "a reply that cannot be read", reason=f"the reply cannot be read: {error}")
        if operation == "query":
            return self._end(record, "ok", f"balance {balance}", result="ok", balance=balance)
        if succeeded:
            return self._end(record, "ok", "success", result="ok")
        if operation == "withdraw":
            return self._end(record, "ok", "fail", result="insufficient_funds")
        return self._end(record, "info", "fail", reason="the bank refused a deposit; nothing tells whether it counts")

    def _end(self, record, kind, words, **more):
        amount = "" if record["op"] == "query" else f" {record['amount']}"
        say(f"customer {self.process} at branch {record['branch']}: {record['op']}{amount}: {words}")
        self.run.reason = words
        self.run.disturb(self.run.history.complete(record, kind, **more))

    def close(self):
        for channel in self.channels.values():
            channel.close()


class Run:
    def __init__(self, options):
        entries = read_input(options.input)
        self.calls = service.calls_of(options.wire, options.folder)
        self.addresses, self.groups, self.order = options.peers, options.groups, options.order
        self.signals = [(branch, number) for branch, number in ((options.pause, signal.SIGSTOP), (options.kill, signal.SIGKILL)) if branch is not None]
        self.scripts = [script_of(entry, f"element {place}", self.addresses) for place, entry in enumerate(entries, 1) if "balance" not in entry]
        self.half = (sum(map(len, self.scripts)) + 1) // 2
        self.balance = next(entry["balance"] for entry in entries if "balance" in entry)
        self.history = None
        self.reason = ""

    def disturb(self, completed):
        if completed == self.half:
            for branch, number in self.signals:
                say(f"branch {branch} is {'paused' if number == signal.SIGSTOP else 'killed'}")
                os.killpg(self.groups[branch], number)

    def go(self, path):
        self.history = history.History(path, self.balance, len(self.scripts) + 1)
        threads = [threading.Thread(target=self._perform, args=one) for one in enumerate(self.scripts, 1)]
        for thread in threads:
            thread.start()
            if self.order == "sequential":
                thread.join()
        for thread in threads:
            thread.join()
        self._look()
        counts = self.history.counts
        if counts["ok"] == 0:
            sys.exit(f"not one call was answered; the last one: {self.reason}")
        say(f"{counts['ok']} answered, {counts['info']} of unknown outcome")

    def _perform(self, process, script):
        customer = Customer(process, self)
        for step in script:
            customer.ask(*step)
        customer.close()

    def _look(self):
        """What each branch that lives says in the end."""
        dead = {branch for branch, number in self.signals if number == signal.SIGKILL}
        for branch, number in self.signals:
            if number == signal.SIGSTOP:
                say(f"branch {branch} goes on")
                os.killpg(self.groups[branch], signal.SIGCONT)
        last = Customer(len(self.scripts) + 1, self)
        for branch in self.addresses:
            if branch not in dead:
                last.ask(branch, "query", 0)
        last.close()


def read_input(path):
    """Its elements: customers, and branches with "balance". `customer check` has found it acceptable."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise service.Bad(f"{path.name}: on the wire an input must be plain JSON: {error}") from error


def script_of(entry, place, addresses):
    """(branch, operation, amount) of each event."""
    script = []
    for event in entry.get("events", entry.get("customer-requests")) or []:
        branch = event.get("branch", event.get("dest", entry.get("id")))
        if branch not in addresses or event.get("interface") not in service.OPERATIONS or not isinstance(event.get("money", 0), int):
            raise service.Bad(f"{place}: on the wire an input must have the plain form of input/three_branches.json")
        script.append((branch, event["interface"], 0 if event["interface"] == "query" else event["money"]))
    return script


def numbered(kind):
    return lambda text: {int(number): kind(value) for number, _, value in (one.partition("=") for one in text.split(",") if one)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--wire", type=json.loads, required=True)
    for path in ("folder", "input", "history"):
        parser.add_argument(f"--{path}", type=pathlib.Path)
    parser.add_argument("--peers", type=numbered(str), required=True)
    parser.add_argument("--groups", type=numbered(int), default={})
    parser.add_argument("--order")
    parser.add_argument("--pause", type=int)
    parser.add_argument("--kill", type=int)
    options = parser.parse_args()
    try:
        run = Run(options)
    except service.Bad as bad:
        print(bad, file=sys.stderr)
        sys.exit(2)
    if not options.check:
        run.go(options.history)


if __name__ == "__main__":
    main()

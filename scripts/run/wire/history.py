"""Records what customers asked and were told, in the format of docs/HISTORY.md, line by line as it happens."""
import json
import threading
import time

ACCOUNT = "shared"


class History:
    def __init__(self, path, balance, processes):
        self.lock = threading.Lock()
        self.file = open(path, "w", encoding="utf-8")
        self.counts = {"ok": 0, "info": 0}
        self._write({"type": "header", "version": 1, "initial": {ACCOUNT: balance}, "processes": processes})

    def _write(self, line):
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()  # whoever is ended in the middle leaves what he saw

    def invoke(self, operation):
        with self.lock:
            self._write({"type": "invoke", **operation, "ns": time.monotonic_ns()})

    def complete(self, operation, kind, **more):
        """How many have been completed."""
        with self.lock:
            self._write({"type": kind, **operation, **more, "ns": time.monotonic_ns()})
            self.counts[kind] += 1
            return sum(self.counts.values())


def operation(process, number, kind, amount, branch):
    return {"process": process, "id": number, "session": 0, "sequence": 0, "op": kind, "account": ACCOUNT, "amount": amount, "branch": branch}

"""Customers that pay 1 into the shared account, one after the other, for as long as a test wants."""
import subprocess
import threading

import bank


class Deposits:
    """Use as a context manager. Each deposit is a process of its own; what was not answered is in `failed`."""

    def __init__(self, at, *flags, env=None):
        self.command = [bank.BIN / "customer", "call", "deposit", "1", "--at", at, *flags]
        self.environment = env
        self.paid, self.failed = 0, []
        self.changed = threading.Condition()
        self.over = False
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()

    def _run(self):
        while not self.over:
            done = subprocess.run(self.command, capture_output=True, text=True, env=self.environment)
            with self.changed:
                if done.returncode == 0:
                    self.paid += 1
                else:
                    self.failed.append(done.stderr)
                self.changed.notify_all()

    def await_more(self, more):
        """Until so many more were paid in from now on."""
        with self.changed:
            goal = self.paid + more
            if not self.changed.wait_for(lambda: self.failed or self.paid >= goal, timeout=60 * bank.PATIENCE) or self.failed:
                raise AssertionError(f"{self.paid} deposits instead of {goal}: {self.failed}")

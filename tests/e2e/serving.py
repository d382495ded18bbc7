"""`run_all.sh --serve` as a process of a test: its lines are waited for, its branches' pids are known."""
import os
import re
import signal
import subprocess
import threading

import bank


class Served:
    """Use as a context manager: leaving it tells the bank to stop, and fails unless all of it does."""

    def __init__(self, out, *flags, base=None, branches=3, **popen):
        self.base = base or bank.free_base_port(branches)
        self.out = out
        self.command = [bank.ROOT / "run_all.sh", "--serve", "--no-build", "--base-port", str(self.base), "--branches", str(branches), "--out", str(out), *flags]
        self.popen = popen
        self.ids = list(range(1, branches + 1))
        self.lines = []
        self.changed = threading.Condition()

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        **{"stdin": subprocess.DEVNULL, **self.popen})
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        try:
            self.await_line("Ctrl-C stops it")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind, *_):
        pids = self._stop()
        if kind is None:
            assert self.process.returncode == 128 + signal.SIGTERM, self.text()
            assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")], f"branches were left behind: {pids}"

    def _stop(self):
        pids = [pid for branch in self.ids for pid in self.pids(branch)]
        self.process.terminate()
        self.process.wait(timeout=2 * bank.STOP_SECONDS)
        self.reader.join()
        self.process.stdout.close()
        return pids

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line)
                self.changed.notify_all()
        with self.changed:
            self.lines.append(None)
            self.changed.notify_all()

    def text(self):
        return "".join(line or "(the end)" for line in self.lines)

    def await_line(self, part, count=1):
        """The count-th line that contains `part`."""
        found = lambda: [line for line in self.lines if line is not None and part in line]
        with self.changed:
            self.changed.wait_for(lambda: len(found()) >= count or None in self.lines, timeout=60 * bank.PATIENCE)
            if len(found()) < count:
                raise AssertionError(f"'{part}' was not said {count} times:\n{self.text()}")
            return found()[count - 1]

    def pids(self, branch):
        """Of all its processes so far, the newest last."""
        with self.changed:
            text = "".join(filter(None, self.lines))
        return [int(pid) for pid in re.findall(rf"\bbranch {branch} \(pid (\d+)\) (?:listens|runs)", text)]

    def kill(self, branch):
        """kill -9; returns the line that tells of it."""
        pid = self.pids(branch)[-1]
        os.kill(pid, signal.SIGKILL)
        return self.await_line(f"branch {branch} (pid {pid}) died")

    def address(self, branch):
        return f"localhost:{self.base + branch}"

    @property
    def addresses(self):
        return ",".join(f"{branch}={self.address(branch)}" for branch in self.ids)

    def restart(self, *arguments):
        return subprocess.run([bank.ROOT / "run_all.sh", "--out", self.out, "--restart", *map(str, arguments)],
                              capture_output=True, text=True, timeout=90 * bank.PATIENCE)

    def balance(self, branch=1):
        done = subprocess.run([bank.BIN / "customer", "call", "query", "--at", self.address(branch)], capture_output=True, text=True, timeout=60 * bank.PATIENCE)
        return int(re.match(r"query True money (\d+)", done.stdout).group(1))

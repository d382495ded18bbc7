"""The branches of one run as processes of ours: started, watched, stopped.

Who answers at a branch's address is ours: `await_listening` returns when each process that was started here has
said that it listens there, and only one process can. Nothing sleeps: a pipe tells what a branch says, and
SIGCHLD wakes whoever waits when a process has ended.
"""
import contextlib
import os
import selectors
import signal
import socket
import subprocess
import time

STOP_SECONDS = 30  # a branch ends itself after 10; this is for one that is held up
CLEAN = (0, -signal.SIGKILL, -signal.SIGTERM)  # it ended by itself, or somebody killed it


class Died(Exception):
    """A branch ended before it listened, or before the bank was ready."""

    def __init__(self, branch):
        super().__init__(f"branch {branch.id} stopped: {branch.last_words()}")
        self.exit_code = branch.exit_code()


class Waiter:
    """Waits for files to be readable and for children to end, whichever comes first."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.wake, signalled = socket.socketpair()
        self.wake.setblocking(False)
        signalled.setblocking(False)
        self.signalled = signalled  # kept open
        self.selector.register(self.wake, selectors.EVENT_READ, None)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)

    def add(self, file, on_readable):
        self.selector.register(file, selectors.EVENT_READ, on_readable)

    def remove(self, file):
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(file)

    def wait(self, seconds=None):
        """Once: runs what is due; returns when something happened, or after so many seconds."""
        for key, _ in self.selector.select(seconds):
            if key.data is not None:
                key.data()
            else:
                with contextlib.suppress(BlockingIOError):
                    while self.wake.recv(1 << 12):
                        pass


class Branch:
    def __init__(self, number, port, log):
        self.id, self.port, self.log = number, port, log
        self.process = None
        self.listens = False
        self.told = False  # its death was told of

    @property
    def address(self):
        return f"localhost:{self.port}"

    def lives(self):
        return self.process is not None and self.process.poll() is None

    def exit_code(self):
        """As a program that ends with it; a signal is nothing to pass on."""
        code = self.process.poll()
        return code if code is not None and code > 0 else 3

    def last_words(self):
        code = self.process.poll()
        if code is not None and code < 0:
            return f"killed by signal {-code}"
        lines = self.log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else f"exit code {code}"


class Branches:
    """Use as a context manager: leaving it stops every branch."""

    def __init__(self, bin_folder, folder, ports, balance, data, replicator, tls, http_above=None):
        self.bin, self.balance, self.data, self.replicator, self.tls, self.http_above = bin_folder, balance, data, replicator, tls, http_above
        self.all = {number: Branch(number, port, folder / f"branch-{number}.log") for number, port in ports.items()}
        self.waiter = Waiter()
        self.unclean = []  # "branch 3 with exit code 6"

    @property
    def addresses(self):
        return ",".join(f"{branch.id}={branch.address}" for branch in self.all.values())

    def http(self, branch):
        return f"localhost:{branch.port + self.http_above}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start_all(self):
        for branch in self.all.values():
            self.start(branch)

    def start(self, branch):
        command = [self.bin / "branch", "--id", str(branch.id), "--listen", branch.address, "--peers", self.addresses,
                   "--data", self.data / f"branch-{branch.id}", "--initial-balance", str(self.balance),
                   "--replicator", self.replicator, *self.tls]
        if self.http_above is not None:
            command += ["--http", self.http(branch)]
        branch.listens = branch.told = False
        with open(branch.log, "ab") as log:
            # A session of its own: Ctrl-C is for whoever watches over it.
            branch.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        pipe = branch.process.stdout
        os.set_blocking(pipe.fileno(), False)
        self.waiter.add(pipe, lambda: self._read(branch, pipe))

    def _read(self, branch, pipe):
        said = pipe.read()
        if said and pipe is branch.process.stdout:
            branch.listens = True  # the one thing a branch says on its standard output
        elif said == b"":
            self.waiter.remove(pipe)
            pipe.close()

    def await_listening(self):
        """Raises Died."""
        self._await(lambda: all(branch.listens for branch in self.all.values()))

    def await_ready(self, log):
        """Until all serve customers. Raises Died, or TimeoutError with the reason."""
        with open(log, "wb") as said:
            asking = subprocess.Popen([self.bin / "bankctl", "wait-ready", "--at", self.addresses, "--timeout", "60", *self.tls],
                                      stdout=said, stderr=said)
        try:
            self._await(lambda: asking.poll() is not None)
        finally:
            asking.kill()
            asking.wait()
        if asking.returncode != 0:
            raise TimeoutError((log.read_text(errors="replace").splitlines() or ["no reason given"])[-1])

    def _await(self, is_so):
        while True:
            for branch in self.all.values():
                if not branch.lives():
                    raise Died(branch)
            if is_so():
                return
            self.waiter.wait()

    def stop(self):
        """Idempotent. Whoever does not end within its time is killed."""
        living = [branch for branch in self.all.values() if branch.lives()]
        for branch in living:
            branch.process.terminate()
            branch.process.send_signal(signal.SIGCONT)  # also if somebody paused it
        deadline = time.monotonic() + STOP_SECONDS
        try:
            for branch in living:
                try:
                    branch.process.wait(max(0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    branch.process.kill()
                    self.unclean.append(f"branch {branch.id} not within {STOP_SECONDS} s")
        except BaseException:  # whoever told us to stop tells us again
            for branch in living:
                branch.process.kill()
            raise
        finally:
            for branch in living:
                branch.process.wait()
        for branch in self.all.values():
            if branch.process is not None and branch.process.returncode not in CLEAN:
                self.unclean.append(f"branch {branch.id} with exit code {branch.process.returncode}")
            branch.process = None

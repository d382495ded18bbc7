"""A bank that is left up: the branches that live go on when one dies, and a dead one is started again when told.

Told by the key r on the terminal, or by `run_all.sh --restart N`, which finds the bank by a socket in its run's folder.
Only its owner reaches that socket: the folder is his alone. One line of JSON each way.
"""
import contextlib
import json
import os
import signal
import socket
import sys
import termios
import tty

import folder

REQUEST_BYTES_MAX = 4096
REQUEST_SECONDS = 5


def say(text):
    """A bank goes on though nobody reads any more what it says (a closed pipe, a full disk)."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def socket_name(base_port):
    return f"control-{base_port}"


@contextlib.contextmanager
def _short_path(run):
    """A path of a socket is at most 107 bytes long; this one of a folder always is."""
    descriptor = os.open(run, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


class Keys:
    """The terminal's keys, one at a time, where there is a terminal and it is ours."""

    def __init__(self, on_key):
        self.on_key = on_key
        self.before = None
        if not sys.stdin.isatty() or not self._in_foreground():
            return
        # Whoever puts us into the background must not stop the bank with it.
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        self.before = termios.tcgetattr(sys.stdin)
        tty.setcbreak(sys.stdin)

    @staticmethod
    def _in_foreground():
        with contextlib.suppress(OSError):
            return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
        return False

    def read(self):
        """False: there are no more."""
        if not self._in_foreground():
            return False
        with contextlib.suppress(OSError):
            pressed = os.read(sys.stdin.fileno(), 100)
            for key in pressed.decode(errors="replace"):
                self.on_key(key)
            return bool(pressed)
        return False

    def close(self):
        if self.before is not None and self._in_foreground():
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self.before)


class Service:
    def __init__(self, branches, run, base_port, hint):
        """`hint`: the flags with which --restart finds this bank."""
        self.branches, self.run, self.base_port, self.hint = branches, run, base_port, hint
        self.asking = {}  # branch id -> connections that wait for it to listen

    def serve(self):
        """Until a signal ends it."""
        self.keys = Keys(self._on_key)
        try:
            if self.keys.before is not None:
                self.branches.waiter.add(sys.stdin, self._read_keys)
            with socket.socket(socket.AF_UNIX) as listener, _short_path(self.run) as path:
                listener.bind(f"{path}/{socket_name(self.base_port)}")
                listener.listen()
                self.branches.waiter.add(listener, lambda: self._on_request(listener.accept()[0]))
                say(f"Ctrl-C stops it{', r starts dead branches again' if self.keys.before is not None else ''}")
                while True:
                    self.branches.waiter.wait()
                    for branch in self.branches.all.values():
                        self._look_at(branch)
        finally:
            self.keys.close()
            with contextlib.suppress(OSError):
                (self.run / socket_name(self.base_port)).unlink()

    def _look_at(self, branch):
        if branch.listens and branch.id in self.asking:
            say(f"branch {branch.id} (pid {branch.process.pid}) runs again")
            self._answer(branch.id, ok=True, pid=branch.process.pid)
        if branch.lives() or branch.told:
            return
        branch.told = True
        press = "press r, or: " if self.keys.before is not None else ""
        say(f"branch {branch.id} (pid {branch.process.pid}) died; restart it: {press}./run_all.sh --restart {branch.id}{self.hint}"
              f" (it said last: {branch.last_words()})")
        self._answer(branch.id, ok=False, exit_code=branch.exit_code(), text=f"branch {branch.id} died again: {branch.last_words()}")

    def _answer(self, number, **answer):
        address, tls = self.branches.all[number].address, [str(part) for part in self.branches.tls]
        for connection in self.asking.pop(number, []):
            _say(connection, {"address": f"{number}={address}", "tls": tls, **answer})

    def _restart(self, branch, connection=None):
        self.asking.setdefault(branch.id, []).extend([connection] if connection else [])
        self.branches.start(branch)

    def _read_keys(self):
        if not self.keys.read():
            self.branches.waiter.remove(sys.stdin)

    def _on_key(self, key):
        dead = [branch for branch in self.branches.all.values() if not branch.lives()]
        if key == "r":
            for branch in dead:
                self._restart(branch)
            if not dead:
                say("all branches live")

    def _on_request(self, connection):
        connection.settimeout(REQUEST_SECONDS)
        number = None
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            number = int(json.loads(connection.recv(REQUEST_BYTES_MAX))["restart"])
        branch = self.branches.all.get(number)
        if branch is None:
            known = ", ".join(map(str, self.branches.all))
            _say(connection, {"ok": False, "exit_code": 2, "text": f"there is no branch {number} in this bank; it has {known}"})
        elif branch.lives():
            _say(connection, {"ok": False, "exit_code": 2, "text": f"branch {number} lives (pid {branch.process.pid}); nothing was done"})
        else:
            self._restart(branch, connection)


def _say(connection, answer):
    with contextlib.suppress(OSError), connection:
        connection.sendall(json.dumps(answer).encode() + b"\n")


class NotServed(Exception):
    """There is no bank to ask, or more than one; one line."""


def _connections(out, base_port):
    """base port -> a connection to the bank that is served there."""
    found = {}
    for run in folder.all_of(out):
        for path in run.glob(socket_name(base_port or "*")):
            connection = socket.socket(socket.AF_UNIX)
            try:
                with _short_path(run) as short:
                    connection.connect(f"{short}/{path.name}")
            except OSError:  # what a process left behind that was killed
                connection.close()
                continue
            found[int(path.name.partition("-")[2])] = connection
    return found


def ask_restart(out, base_port, number):
    """What the bank's own process answers when it listens again or has died again. Raises NotServed."""
    with contextlib.ExitStack() as stack:
        found = {base: stack.enter_context(connection) for base, connection in _connections(out, base_port).items()}
        if not found:
            raise NotServed("no bank is served from here" + (f" at base port {base_port}" if base_port else "") + ": ./run_all.sh --serve starts one")
        if len(found) > 1:
            raise NotServed("several banks are served from here; say which: " + ", ".join(f"--base-port {base}" for base in sorted(found)))
        connection = next(iter(found.values()))
        connection.sendall(json.dumps({"restart": number}).encode() + b"\n")
        with connection.makefile("rb") as lines:
            line = lines.readline()
    if not line:
        raise NotServed("the bank was stopped meanwhile")
    return json.loads(line)

"""Somebody else's processes: started apart from ours, listened to, and stopped whatever they do.

Each command is a shell in a session of its own. This process adopts whoever loses its parent below it
(PR_SET_CHILD_SUBREAPER), so a process that forks, makes itself a daemon or changes its session is still found
among our descendants, and killed by its id. Nothing here is a sandbox: they run with the rights of the user.
"""
import contextlib
import ctypes
import os
import re
import resource
import signal
import subprocess
import time

import branches

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LOG_BYTES_MAX = 4 << 20  # of what a command says; the rest is read and dropped
FILE_BYTES_MAX = 256 << 20  # of any file that they write
WORDS_MAX = 200
REAPED_MAX = 1000  # at a time
READ_BYTES, PIPE_BYTES = 1 << 16, 1 << 20
LOOK_SECONDS = 0.1  # between two looks at what only looking tells: ports, files
TERM_SECONDS = 2  # between SIGTERM and SIGKILL
KILL_SECONDS = 10
LISTENS = "0A"
libc = ctypes.CDLL(None, use_errno=True)


class Process:
    """One command of theirs. `name`: what it is called in messages."""

    def __init__(self, name, log, word):
        self.name, self.log_path = name, log
        self.log = open(log, "wb")
        self.written = 0
        self.tail = b""  # the newest bytes
        self.word = word.encode() if word else None
        self.said_word = False
        self.popen = None

    def hear(self, data):
        room = LOG_BYTES_MAX - self.written
        if room > 0:
            self.log.write(data[:room] + (b"\n(cut here: more than 4 MiB)\n" if len(data) >= room else b""))
            self.log.flush()
            self.written += len(data)
        keep = max(4096, len(self.word or b""))
        self.said_word = self.said_word or bool(self.word and self.word in self.tail[-len(self.word):] + data)
        self.tail = (self.tail + data)[-keep:]

    def last_words(self):
        """The last line it said, fit for a terminal; empty: it said nothing."""
        lines = [line.strip() for line in re.sub(r"[^\x20-\x7e\xa0-\U0010ffff\n]", " ", self.tail.decode(errors="replace")).split("\n")]
        lines = [line for line in lines if line]
        return lines[-1][:WORDS_MAX] if lines else ""

    def exit_code(self):
        """None: it still runs."""
        return self.popen.poll()

    def crashed(self):
        return self.exit_code() not in (None, 0)

    def end(self):
        """How it ended, in words."""
        code = self.exit_code()
        if code >= 0:
            return f"ended with exit code {code}"
        why = f", a file larger than {FILE_BYTES_MAX >> 20} MiB" if code == -signal.SIGXFSZ else ""
        return f"was killed by signal {-code}{why}"


class Strangers:
    """Use as a context manager: leaving it stops them all. `left`: ids of processes that could not be stopped."""

    def __init__(self, folder):
        self.folder = folder
        self.waiter = branches.Waiter()
        self.all = []
        self.left = []

    def __enter__(self):
        if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "cannot adopt their processes")
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, name, line, log, word=None):
        process = Process(name, log, word)
        self.all.append(process)
        # Python keeps what it says to itself when nobody sits at a terminal; "ready" and the last words need it.
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        process.popen = subprocess.Popen(["/bin/sh", "-c", line], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_limit)
        pipe = process.popen.stdout
        os.set_blocking(pipe.fileno(), False)
        self.waiter.add(pipe, lambda: self._read(process, pipe))
        return process

    def _read(self, process, pipe):
        said = os.read(pipe.fileno(), READ_BYTES)
        process.hear(said)
        if not said:
            self.waiter.remove(pipe)
            pipe.close()
        return said

    def _drain(self, process):
        """What it has said before now; not more than a pipe holds, since somebody may say ever more."""
        pipe, left = process.popen.stdout, PIPE_BYTES
        with contextlib.suppress(BlockingIOError):
            while left > 0 and not pipe.closed:
                left -= len(self._read(process, pipe))

    def wait(self, is_so, deadline):
        """Until `is_so()`, which is asked whenever something happens and every tenth of a second. False: time is up."""
        while not (so := is_so()) and (left := deadline - time.monotonic()) > 0:
            self.waiter.wait(min(left, LOOK_SECONDS))
            self._reap()
        for process in self.all:
            self._drain(process)
        return so

    def _reap(self, before=lambda pid: None):
        """Whether there are any of them, dead ones aside; the kernel's answer, however fast they fork. `before` one is reaped: its id."""
        for process in self.all:
            process.exit_code()  # Popen waits for its own
        for _ in range(REAPED_MAX):
            try:
                dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return False
            if dead is None:
                return True
            before(dead.si_pid)
            if all(process.popen.pid != dead.si_pid or process.exit_code() is None for process in self.all):
                os.waitpid(dead.si_pid, 0)
        return True

    def stop(self):
        """Asks them to end, then kills what is left: all our descendants, by id, until there are none."""
        try:
            _signal(descendants(), signal.SIGTERM, signal.SIGCONT)
            self.wait(lambda: not self._reap(), time.monotonic() + TERM_SECONDS)
        finally:
            # Whoever told us to stop may tell us again; this part takes its few seconds all the same.
            signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
            self.left = self._kill()
            for process in self.all:
                process.log.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _kill(self):
        """Ids of those that could not be killed; 0 stands for one that was too fast to be seen."""
        deadline = time.monotonic() + KILL_SECONDS
        while self._reap(_kill_group_of):
            living = descendants()
            if time.monotonic() > deadline:
                return sorted(living) or [0]
            _signal(living, signal.SIGKILL)
            self.waiter.wait(LOOK_SECONDS / 10)
        return []


def _limit():
    """In the new process, before its command."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # if this process is killed itself
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = FILE_BYTES_MAX if most == resource.RLIM_INFINITY else min(FILE_BYTES_MAX, most)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _processes():
    """pid -> (state, parent, process group) of all there are."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                state, parent, group = file.read().rpartition(b")")[2].split()[:3]
                found[int(name)] = (state, int(parent), int(group))
    return found


def descendants():
    """pid -> process group of those below this process that live."""
    processes = _processes()
    children = {}
    for pid, (_, parent, _) in processes.items():
        children.setdefault(parent, []).append(pid)
    found, new = {}, [os.getpid()]
    while new:
        new = [child for pid in new for child in children.get(pid, [])]
        found.update({pid: processes[pid][2] for pid in new if processes[pid][0] not in (b"Z", b"X")})
    return found


def _signal(living, *numbers):
    """To each process and to its whole group: whoever forks meanwhile is in the group too."""
    groups = {group for group in living.values() if group > 1 and group != os.getpgrp()}
    for number in numbers:
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        for pid in living:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


def _kill_group_of(dead):
    """Whoever forks and ends again and again is not seen alive. Its dead are; they hold its group's id until they are reaped."""
    with contextlib.suppress(ProcessLookupError):
        _signal({dead: os.getpgid(dead)}, signal.SIGKILL)


def listening():
    """TCP ports at which our descendants listen."""
    at = {}  # inode of a socket -> port
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table, encoding="ascii") as file:
            for fields in map(str.split, list(file)[1:]):
                if fields[3] == LISTENS:
                    at[fields[9]] = int(fields[1].rpartition(":")[2], 16)
    ports = set()
    for pid in descendants():
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    inode = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{descriptor}"))
                    if inode and inode[1] in at:
                        ports.add(at[inode[1]])
    return ports

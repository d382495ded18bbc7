"""Judges somebody else's bank: runs it on an input in a folder of its own, then asks `checker course` about its answers.

strangers.py starts and stops its processes, description.py reads how. With "wire" our own customers ask its branches
(wire/customers.py), and `checker` judges what they recorded.
"""
import contextlib
import importlib.util
import json
import os
import pathlib
import shlex
import shutil
import stat
import subprocess
import sys
import time

import ports
import strangers
from description import Bad
from folder import shown

UNREADABLE, UNAVAILABLE, UNKNOWN = 2, 3, 4
CUSTOMERS = pathlib.Path(__file__).with_name("wire") / "customers.py"
FOLDER_BYTES_MAX, FOLDER_FILES_MAX = 1 << 30, 100_000
OUTPUT_BYTES_MAX = 64 << 20


class NotRun(Exception):
    """Why theirs did not run, did not finish or answered nothing; one line."""


class Unknown(Exception):
    """What was answered is right, but not all was answered; one line."""


class Theirs:
    """One run of their bank. `run`: the folder with its logs; their own copy of everything is `work` in it."""

    def __init__(self, description, shape, run):
        self.description, self.run = description, run
        self.ids = shape["branches"]
        self.work = run / "theirs"
        self.outputs = [] if description.wire else [self.work / output for output in description.outputs]
        self.ports = _ports(description, self.ids)
        self.values = {"input": self.work / description.input, "output": self.outputs, "balance": shape["balance"],
                       "peers": ",".join(f"{branch}=localhost:{port}" for branch, port in self.ports.items())}
        self.processes = None  # strangers.Strangers, while they run
        self.branches = []

    def start(self, name, key, more=(), word=None):
        line = self.description.line(key, {**self.values, **dict(more)})
        print(f"{name}: {line}", flush=True)
        return self.processes.start(name, line, self.run / f"{name.replace(' ', '-')}.log", word)

    def deadline(self):
        return time.monotonic() + self.description.time_limit_s

    def prepare(self):
        if "prepare" in self.description.commands:
            process = self.start("prepare", "prepare")
            self.await_end(process, lambda: process.exit_code() is not None)

    def start_branches(self):
        if "branches" not in self.description.commands:
            return
        word = self.description.ready if isinstance(self.description.ready, str) else None
        if self.description.one_by_one():
            for branch in self.ids:
                self.branches.append(self.start(f"branch {branch}", "branches", {"id": branch, "port": self.ports.get(branch)}.items(), word))
        else:
            self.branches.append(self.start("branches", "branches", word=word))
        if not self.processes.wait(lambda: self.crashed_branch() or self.is_ready(), self.deadline()):
            raise NotRun(self.failure(self.slowest(), f"not ready within {self.description.time_limit_s} s: {self.awaited()}"))
        if crashed := self.crashed_branch():
            raise NotRun(self.failure(crashed, f"{crashed.end()} before it was ready"))

    def crashed_branch(self):
        return next((process for process in self.branches if process.crashed()), None)

    def slowest(self):
        return next((process for process in self.branches if process.word and not process.said_word), self.branches[-1])

    def is_ready(self):
        ready = self.description.ready
        if isinstance(ready, str):
            return all(process.said_word for process in self.branches)
        listening = strangers.listening()
        if ready is not None:
            return ready in listening
        return set(self.ports.values()) <= listening if self.ports else len(listening) >= len(self.ids)

    def awaited(self):
        """What was waited for in vain."""
        ready = self.description.ready
        if isinstance(ready, str):
            return f'"{ready}" was not said'
        if ready is not None:
            return f"nothing of theirs listens at port {ready}"
        listening = sorted(strangers.listening())
        if self.ports:
            return f"nothing of theirs listens at port {next(port for port in self.ports.values() if port not in listening)}"
        return f"they listen at {len(listening)} ports, and the input has {len(self.ids)} branches (\"ready\" can say what else to wait for)"

    def run_customers(self, is_right):
        """Returns when they have ended; or, if they never do, when the outputs are right or time is up."""
        customers = self.start("customers", "customers")
        if self.description.ends:
            self.await_end(customers, lambda: customers.exit_code() is not None)
            self.check_outputs(customers)
            return
        seen = None

        def done():
            nonlocal seen
            now = [_status(output) for output in self.outputs]
            if now != seen:
                seen = now
                return all(now) and is_right()
            return customers.exit_code() is not None

        self.processes.wait(done, self.deadline())
        if customers.crashed():
            raise NotRun(self.failure(customers, customers.end()))
        self.check_outputs(customers)

    def await_end(self, process, has_ended):
        if not self.processes.wait(has_ended, self.deadline()):
            crashed = self.crashed_branch()
            why = f" ({crashed.name} {crashed.end()})" if crashed else ""
            hint = '; if it never ends by itself: "ends": false' if process.name == "customers" and not self.description.wire else ""
            raise NotRun(self.failure(process, f"did not end within {self.description.time_limit_s} s{why}", hint))
        if process.crashed():
            raise NotRun(self.failure(process, process.end()))

    def check_outputs(self, customers):
        for output in self.outputs:
            status = _status(output)
            name = output.relative_to(self.work)
            if status is None:
                raise NotRun(self.failure(customers, f"wrote no file {name}", '; if it has another name: "output"'))
            if status[0] > OUTPUT_BYTES_MAX:
                raise NotRun(self.failure(customers, f"wrote {status[0] >> 20} MiB to {name}; {OUTPUT_BYTES_MAX >> 20} are read"))

    def failure(self, process, what, hint=""):
        words = process.last_words()
        said = f"it said last: {words}" if words else "it said nothing"
        return f"{self.description.path}: {process.name}: {what}; {said} (log: {shown(process.log_path)}{hint})"


def _status(path):
    """(size, time of the last change) of a regular file; else None."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def _ports(description, ids):
    """branch -> port, where the commands or the file's "base_port" speak of ports."""
    if description.base_port is None:
        return ports.free(ids) if description.needs_ports() else {}
    if description.base_port + max(ids) > ports.PORT_MAX:
        raise Bad(f"{description.path}: \"base_port\": branch {max(ids)} would be at port {description.base_port + max(ids)}; the highest is {ports.PORT_MAX}")
    chosen = {branch: description.base_port + branch for branch in ids}
    for branch, port in chosen.items():
        if not ports.is_free(port):
            raise NotRun(f"{description.path}: \"base_port\": port {port} of branch {branch} is taken; stop who listens there")
    return chosen


def _copy(description, work, run):
    """Their folder as it is, but without what earlier runs of theirs have answered."""
    count = size = 0

    def skip(folder, names):
        nonlocal count, size
        skipped = []
        for name in names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if name == ".git" or os.path.realpath(path) == str(run.parent.resolve()) or not _copies(status.st_mode):
                skipped.append(name)
                continue
            count += 1
            size += status.st_size if stat.S_ISREG(status.st_mode) else 0
        if count > FOLDER_FILES_MAX or size > FOLDER_BYTES_MAX:
            raise Bad(f"{description.path}: \"folder\": {description.folder} holds more than {FOLDER_BYTES_MAX >> 20} MiB or {FOLDER_FILES_MAX} files; "
                      "name the one with their program alone")
        return skipped

    try:
        shutil.copytree(description.folder, work, symlinks=True, ignore=skip)
    except shutil.Error as error:
        source, _, reason = error.args[0][0]
        raise Bad(f"{description.path}: \"folder\": {source} cannot be copied: {reason}") from error


def _copies(mode):
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)


def _place(description, work, source):
    """The input where they look for it, and no output of before."""
    for path in (description.input, *([] if description.wire else description.outputs)):
        target = work / path
        if target.is_dir() and not target.is_symlink():
            raise Bad(f"{description.path}: {path} is a folder of theirs; name a file")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
    shutil.copyfile(source, work / description.input)


def run(description, source, shape, run_folder, judge):
    """Level of files. `judge`: the judge's command without the outputs. Returns 0, or its exit code. Raises NotRun, Bad."""
    theirs = Theirs(description, shape, run_folder)
    command = [*judge, *theirs.outputs]
    with _started(theirs, source):
        theirs.run_customers(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0)
    verdict = subprocess.run(command).returncode
    print(f"output: {' '.join(str(shown(output)) for output in theirs.outputs)}   logs: {shown(run_folder)}/", flush=True)
    return UNAVAILABLE if verdict == UNREADABLE else verdict


@contextlib.contextmanager
def _started(theirs, source, check=lambda: None):
    """Their branches run, and all that is theirs is stopped behind it. `check`: asked when all is prepared."""
    _copy(theirs.description, theirs.work, theirs.run)
    _place(theirs.description, theirs.work, source)
    with strangers.Strangers(theirs.work) as theirs.processes:
        theirs.prepare()
        check()
        theirs.start_branches()
        yield
    if theirs.processes.left:
        raise NotRun(f"{theirs.description.path}: these processes of theirs could not be stopped: {', '.join(map(str, theirs.processes.left))}")


def run_wire(description, source, shape, run_folder, checker, more):
    """Level of the wire: our customers ask their branches. `more`: flags of wire/customers.py. Returns and raises as run()."""
    theirs = Theirs(description, shape, run_folder)
    history = run_folder / "history.jsonl"
    python = sys.executable if importlib.util.find_spec("grpc") else "/usr/bin/python3"
    customers = [python, "-B", CUSTOMERS, "--wire", json.dumps(description.wire), "--input", source, "--peers", theirs.values["peers"], "--folder", theirs.work, *more]

    def check():
        done = subprocess.run([*map(str, customers), "--check"], stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            line = (done.stderr.strip().splitlines() or ["the customers cannot be started"])[-1]
            raise (NotRun if done.returncode == UNAVAILABLE else Bad)(f"{description.path}: \"wire\": {line}")

    with _started(theirs, source, check):
        groups = ",".join(f"{branch}={process.popen.pid}" for branch, process in zip(theirs.ids, theirs.branches))
        asking = theirs.processes.start("customers", shlex.join(map(str, [*customers, "--groups", groups, "--history", history])), run_folder / "customers.log")
        theirs.await_end(asking, lambda: asking.exit_code() is not None)
    sys.stdout.write((run_folder / "customers.log").read_text(errors="replace"))
    sys.stdout.flush()
    verdict = subprocess.run([checker, history, "--html", run_folder / "timeline.html"]).returncode
    print(f"history, timeline, logs: {shown(run_folder)}/", flush=True)
    if verdict == 0 and "--pause" not in more and "--kill" not in more and '"type": "info"' in history.read_text():
        raise Unknown(f"{description.path}: some operations are of unknown outcome though nothing disturbed them; log: {shown(run_folder / 'customers.log')}")
    return verdict

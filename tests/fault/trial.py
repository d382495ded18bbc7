"""One run of a scenario: a real bank with proxies between its branches and a faulty disk under each of them.

begin(), then do() for each step, then finish(), which heals, requires progress and judges; end() in any case.
"""
import itertools
import os
import shutil
import signal
import subprocess
import time

import bank
from proxy import Proxies

WAIT_SECONDS = 60 * bank.PATIENCE  # for progress, readiness, the end of a process; longer than any step needs
banks = itertools.count()


class Trial:
    def __init__(self, settings, rng, seed):
        self.rng, self.seed = rng, seed
        self.where = "start"
        options = dict(word.split("=", 1) for word in settings["bank"].split())
        # The initial balance is part of a bank's number: a branch of another test's bank that comes to one of our ports is no member.
        self.bank = bank.Bank(branches=int(options.pop("branches", 3)), balance=100_000 + 10 * os.getpid() + next(banks) % 10,
                              flags=[f"--{name}={value}" for name, value in options.items()])
        self.load_arguments = settings["load"].split()
        self.control = {i: self.bank.folder / f"disk-{i}.control" for i in self.bank.ids}
        self.proxies = None
        self.last = []       # the branches the newest step acted on
        self.windows = []    # (begin, end) of faults, monotonic nanoseconds
        self.fault_began = None
        self.names = {}      # given by the step `name`
        self.taken_ports = {}

    # --- Life -----------------------------------------------------------------------------------
    def begin(self):
        self.proxies = Proxies(self.seed)
        bank_command = self.bank.command

        dial = {i: [f"--dial={j}=localhost:{self.proxies.add(i, j, self.bank.port(j))}" for j in self.bank.ids if j != i]
                for i in self.bank.ids}
        self.bank.command = lambda branch, *extra: bank_command(branch, *dial[branch], *extra)
        library = self.build_faulty_disk()
        # The library hands on to the sanitizer's functions, if the branch has them; being before them is no mistake.
        asan_options = f"{os.environ.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0"
        start = self.bank.start

        def start_with_faulty_disk(branches=None, *extra, wait=True):
            for branch in self.bank.ids if branches is None else branches:
                self.bank.env = {"FAULTY_DISK_FOLDER": str(self.bank.data(branch)), "LD_PRELOAD": str(library),
                                 "FAULTY_DISK_CONTROL": str(self.control[branch]), "ASAN_OPTIONS": asan_options}
                start([branch], *extra, wait=False)
            if wait:
                self.bank.wait_ready()
        self.bank.start = start_with_faulty_disk
        self.bank.start()
        self.begin_load()

    def finish(self):
        """Heals, requires progress through every branch, judges. Returns the figures of the fault."""
        self.do_heal()
        self.start_dead()
        self.bank.wait_ready(seconds=WAIT_SECONDS)
        self.do_ops(100)
        self.end_customers()
        self.compare_digests()
        self.judge()
        for branch in self.bank.ids:  # through every branch, a write and a read
            for what in (["deposit", "1"], ["query"]):
                done = subprocess.run([bank.BIN / "customer", "call", "--at", f"{branch}={self.bank.address(branch)}", *what],
                                      capture_output=True, text=True, timeout=WAIT_SECONDS)
                assert done.returncode == 0, f"{what[0]} through branch {branch}: exit {done.returncode}: {done.stderr.strip()}"
        self.compare_digests()
        unclean = self.bank.stop()
        assert not unclean, f"branches ended badly, exit codes {unclean}"
        return self.figures()

    def compare_digests(self):
        records = self.bank.digests()
        assert len({(r["state"], r["history"]) for r in records}) == 1, f"digests differ: {records}"

    def end(self, keep):
        self.kill_customers()
        self.bank.stop()
        for port in self.taken_ports.values():
            port.close()
        if self.proxies:
            self.proxies.stop()
        if not keep:
            shutil.rmtree(self.bank.folder, ignore_errors=True)

    # --- Whom -----------------------------------------------------------------------------------
    def targets(self, word):
        running = self.bank.running()
        if word == "all":
            return list(self.bank.ids)
        if word == "running":
            return running
        if word == "dead":
            return [i for i in self.bank.ids if i not in running]
        if word == "last":
            assert self.last, "no step before this one acted on a branch"
            return self.last
        if word in self.names:
            return self.names[word]
        if word == "others":
            named = {i for branches in self.names.values() for i in branches}
            return [i for i in self.bank.ids if i not in named]
        if word == "random":
            return [self.rng.choice(running)]
        if word in ("leader", "follower"):
            leader = self.wait_for(self.bank.leader, "a leader")
            return [leader] if word == "leader" else [self.rng.choice([i for i in running if i != leader])]
        if "," in word:
            return [i for part in word.split(",") for i in self.targets(part)]
        return [int(word)]

    def wait_for(self, condition, what, seconds=WAIT_SECONDS):
        # Polls: what is waited for lies in other processes that announce nothing.
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            time.sleep(0.02)
        raise AssertionError(f"waited {seconds} s for {what}")

    def fault(self):
        if self.fault_began is None:
            self.fault_began = time.monotonic_ns()

    def fault_over(self):
        if self.fault_began is not None:
            self.windows.append((self.fault_began, time.monotonic_ns()))
            self.fault_began = None

    # --- The words ------------------------------------------------------------------------------
    def do(self, words):
        method = getattr(self, "do_" + words[0].replace("-", "_"), None)
        assert method, f"no such step: {words[0]}"
        method(*words[1:])

    def do_name(self, name, word):
        self.names[name] = self.targets(word)

    def do_hold(self, seconds):
        time.sleep(float(seconds))  # the length of the fault is what is tested

    def do_heal(self):
        self.proxies.heal()
        for branch in self.bank.ids:
            self.control[branch].write_text("ok")
            if branch in self.bank.running():
                self.bank.processes[branch].send_signal(signal.SIGCONT)
        self.fault_over()

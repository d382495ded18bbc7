"""The words of a fault scenario, and what they do to a real bank (README.md lists them)."""
import itertools
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import time

import bank
import customer
from proxy import Proxies

WAIT_SECONDS = 60 * bank.PATIENCE  # for progress, readiness, the end of a process; longer than any step needs


def bind(taken, port):
    try:
        taken.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


banks = itertools.count()


class Steps:
    def __init__(self, settings, rng, seed):
        self.rng, self.seed = rng, seed
        self.where = "start"
        options = dict(word.split("=", 1) for word in settings["bank"].split())
        # The initial balance is part of a bank's number: a branch of another test's bank that comes to one of our ports is no member.
        self.bank = bank.Bank(branches=int(options.pop("branches", 3)), balance=100_000 + 10 * os.getpid() + next(banks) % 10,
                              flags=[f"--{name}={value}" for name, value in options.items()])
        self.load_arguments = settings["load"].split() or [
            "--mode", "unary", "--concurrency", "8", "--accounts", "8",
            "--mix", "deposit=3,withdraw=3,query=3,transfer=1"]
        self.control = {i: self.bank.folder / f"disk-{i}.control" for i in self.bank.ids}
        self.proxies = None
        self.load = None
        self.last = []       # the branches the newest step acted on
        self.windows = []    # (begin, end) of faults, monotonic nanoseconds
        self.fault_began = None
        self.names = {}      # given by the step `name`
        self.own_deposits = 0  # to the shared account, by the steps themselves
        self.taken_ports = {}
        self.answers_read = 0  # of the history: how many answers, and how far it was read
        self.history_read = 0

    # --- Life of a scenario ---------------------------------------------------------------------
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
        self.history = self.bank.folder / "history.jsonl"
        self.load = subprocess.Popen(
            [bank.BIN / "customer", "load", "--at", self.bank.addresses, "--history", self.history, "--seed", str(self.seed),
             "--seconds", "600", "--operation-timeout", "20", "-w", "json", *self.load_arguments],
            stdout=subprocess.PIPE, stderr=open(self.bank.folder / "load.log", "w"), text=True)
        self.do_ops(100)

    def build_faulty_disk(self):
        library = self.bank.folder / "faulty_disk.so"
        source = pathlib.Path(__file__).parent / "disk/faulty_disk.c"
        subprocess.run(["cc", "-std=gnu17", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        return library

    def finish(self):
        """Heals, requires progress through every branch, judges. Returns the figures of the fault."""
        self.do_heal()
        self.start_dead()
        self.bank.wait_ready(seconds=WAIT_SECONDS)
        self.do_ops(100)
        self.load.send_signal(signal.SIGTERM)  # no new operations; those under way are finished
        printed, _ = self.load.communicate(timeout=WAIT_SECONDS)
        self.load_printed = printed.strip()
        # 4: outcomes that stayed unknown; the checker takes them as such.
        assert self.load.returncode in (0, 4), f"customer load ended with {self.load.returncode}: {printed}"
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

    def judge(self):
        """Nobody but the recorded customers has changed anything: the checker can account for the whole bank."""
        self.compare_digests()
        lines = self.history.read_text().splitlines(True)
        header = json.loads(lines[0])
        header["initial"][bank.SHARED] = self.bank.balance + self.own_deposits
        (self.bank.folder / "judged.jsonl").write_text(json.dumps(header, separators=(",", ":")) + "\n" + "".join(lines[1:]))
        verdict = subprocess.run([bank.BIN / "checker", self.bank.folder / "judged.jsonl", "--digests", self.bank.folder / "digests.jsonl"],
                                 capture_output=True, text=True, timeout=120)
        assert verdict.returncode == 0, f"checker: exit {verdict.returncode}: {verdict.stdout}{verdict.stderr}"
        assert "not compared" not in verdict.stdout, f"checker: {verdict.stdout}"

    def end(self, keep):
        if self.load and self.load.poll() is None:
            self.load.kill()
            self.load.wait()
        self.bank.stop()
        for port in self.taken_ports.values():
            port.close()
        if self.proxies:
            self.proxies.stop()
        if not keep:
            shutil.rmtree(self.bank.folder, ignore_errors=True)

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

    # --- Whom -----------------------------------------------------------------------------------
    def targets(self, word):
        running = self.bank.running()
        if word == "all":
            return list(self.bank.ids)
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

    def do_hold(self, seconds):
        time.sleep(float(seconds))  # the length of the fault is what is tested

    def do_kill(self, word):
        self.last = self.targets(word)
        self.fault()
        for branch in self.last:
            self.bank.processes[branch].kill()
        for branch in self.last:
            self.bank.processes[branch].wait()

    def do_term(self, word):
        self.last = self.targets(word)
        self.fault()
        for branch in self.last:
            began = time.monotonic()
            code = self.bank.kill(branch, signal.SIGTERM)
            assert code == 0, f"branch {branch} ended with {code} on SIGTERM"
            assert time.monotonic() - began < 10, "SIGTERM took more than 10 s"

    def do_pause(self, word):
        self.last = self.targets(word)
        self.fault()
        for branch in self.last:
            self.bank.processes[branch].send_signal(signal.SIGSTOP)

    def do_continue(self, word="last"):
        for branch in self.targets(word):
            self.bank.processes[branch].send_signal(signal.SIGCONT)
        self.fault_over()

    def start_dead(self):
        dead = self.targets("dead")
        if dead:
            self.bank.start(dead, wait=False)

    def do_start(self, word, *flags):
        self.bank.start(self.targets(word), *flags)
        self.fault_over()

    def do_begin(self, word, *flags):
        """As start, but waits for nothing."""
        self.bank.start(self.targets(word), *flags, wait=False)

    def do_restart(self, word):
        """Kills what still runs and starts it again."""
        self.last = self.targets(word)
        for branch in self.last:
            self.bank.kill(branch)
        self.bank.start(self.last)
        self.fault_over()

    def do_start_refused(self, word, code, text):
        """The branch must end by itself with this exit code, and say this."""
        for branch in self.targets(word):
            self.bank.start([branch], wait=False)
            ended = self.bank.processes[branch].wait(timeout=WAIT_SECONDS)
            log = self.bank.log(branch).read_text(errors="replace")
            assert ended == int(code), f"branch {branch} ended with {ended}, not {code}: {log[-500:]}"
            assert text in log.splitlines()[-1], f"branch {branch} said: {log.splitlines()[-1]}"

    def do_serving(self, word, answer):
        """Waits until the health of these branches says so: yes or no."""
        for branch in self.targets(word):
            self.wait_for(lambda b=branch: self.bank.serving(b) == (answer == "yes"), f"branch {branch} serving: {answer}")

    def do_ends(self, word, text):
        """Running branches must end by themselves and say this."""
        self.last = self.targets(word)
        for branch in self.last:
            ended = self.bank.processes[branch].wait(timeout=WAIT_SECONDS)
            log = self.bank.log(branch).read_text(errors="replace")
            assert ended > 0 and text in log, f"branch {branch} ended with {ended} and said: {log[-500:]}"

    # network
    def pairs(self, senders, receivers):
        return [(a, b) for a in senders for b in receivers if a != b]

    def do_cut(self, senders, arrow, receivers):
        """cut A -> B: what A sends to B waits; cut A <-> B: both ways."""
        a, b = self.targets(senders), self.targets(receivers)
        self.last = a
        self.fault()
        self.hold_from(a, b)
        if arrow == "<->":
            self.hold_from(b, a)

    def hold_from(self, senders, receivers):
        self.proxies.change(self.pairs(senders, receivers), held=True)
        self.proxies.change(self.pairs(receivers, senders), held_back=True)

    def do_isolate(self, word):
        self.last = self.targets(word)
        self.fault()
        others = [i for i in self.bank.ids if i not in self.last]
        self.hold_from(self.last, others)
        self.hold_from(others, self.last)

    def do_ring(self):
        """Every branch hears only its neighbour."""
        self.fault()
        ids = self.bank.ids
        for index, branch in enumerate(ids):
            others = [i for i in ids if i not in (branch, ids[(index + 1) % len(ids)])]
            self.hold_from([branch], others)

    def do_delay(self, milliseconds, jitter="0"):
        self.fault()
        self.proxies.change(self.proxies.links, delay=float(milliseconds) / 1e3, jitter=float(jitter) / 1e3)

    def do_break_connections(self, chance):
        self.fault()
        self.proxies.change(self.proxies.links, break_chance=float(chance))

    def do_heal(self):
        self.proxies.heal()
        for branch in self.bank.ids:
            self.control[branch].write_text("ok")
            if branch in self.bank.running():
                self.bank.processes[branch].send_signal(signal.SIGCONT)
        self.fault_over()

    # disk
    def do_disk(self, word, *fault):
        """disk TARGET ok|full|broken-write|broken-sync|short|slow MS"""
        self.last = self.targets(word)
        if fault == ("ok",):
            self.fault_over()
        else:
            self.fault()
        for branch in self.last:
            self.control[branch].write_text(" ".join(fault))

    def files(self, branch, pattern):
        found = sorted(p for p in self.bank.data(branch).glob(pattern) if p.is_file())
        assert found, f"no file matches {pattern} in {sorted(p.name for p in self.bank.data(branch).rglob('*'))}"
        return found

    def do_flip(self, word, pattern, where="random"):
        """Flips one bit of the newest matching file (of a random one for the pattern *): at a byte offset, at a fraction 0.x, or anywhere used."""
        for branch in self.targets(word):
            found = [p for p in self.files(branch, pattern) if p.stat().st_size > 0]
            path = self.rng.choice(found) if pattern == "*" else found[-1]
            bytes_ = bytearray(path.read_bytes())
            used = len(bytes_.rstrip(b"\0")) or len(bytes_)
            if where == "random":
                offset = self.rng.randrange(used)
            else:
                offset = int(float(where) * used) if "." in where else int(where)
            bytes_[offset] ^= 1 << self.rng.randrange(8)
            path.write_bytes(bytes_)

    def do_cut_file(self, word, pattern, count):
        """Removes the last `count` used bytes of the newest matching file (zeros take their place)."""
        for branch in self.targets(word):
            path = self.files(branch, pattern)[-1]
            bytes_ = path.read_bytes()
            used = len(bytes_.rstrip(b"\0"))
            path.write_bytes(bytes_[:used - int(count)] + b"\0" * (len(bytes_) - used + int(count)))

    def do_wipe(self, word):
        for branch in self.targets(word):
            shutil.rmtree(self.bank.data(branch))

    def do_save_folder(self, word):
        for branch in self.targets(word):
            shutil.copytree(self.bank.data(branch), self.bank.folder / f"saved-{branch}")

    def do_restore_folder(self, word):
        for branch in self.targets(word):
            shutil.rmtree(self.bank.data(branch))
            shutil.copytree(self.bank.folder / f"saved-{branch}", self.bank.data(branch))

    def do_give_folder(self, giver, taker):
        """The taker's folder becomes a copy of the giver's; the taker's own is kept aside."""
        (a,), (b,) = self.targets(giver), self.targets(taker)
        os.rename(self.bank.data(b), self.bank.folder / f"aside-{b}")
        shutil.copytree(self.bank.data(a), self.bank.data(b))

    def do_take_back_folder(self, word):
        for branch in self.targets(word):
            shutil.rmtree(self.bank.data(branch))
            os.rename(self.bank.folder / f"aside-{branch}", self.bank.data(branch))

    # limits and orders
    def do_limit_files(self, word, count):
        """At most `count` file descriptors from now on."""
        self.last = self.targets(word)
        for branch in self.last:
            pid = self.bank.processes[branch].pid
            open_now = len(os.listdir(f"/proc/{pid}/fd"))
            limit = open_now + int(count)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))
        self.fault()

    def do_limit_memory(self, word, megabytes):
        """At most so much more address space from now on."""
        self.last = self.targets(word)
        for branch in self.last:
            pid = self.bank.processes[branch].pid
            pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + int(megabytes) * (1 << 20)
            resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))
        self.fault()

    def do_take_port(self, word):
        """Another program listens where these branches, which do not run, want to."""
        for branch in self.targets(word):
            taken = self.taken_ports[branch] = socket.socket()
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.wait_for(lambda t=taken, b=branch: bind(t, self.bank.port(b)), f"port {self.bank.port(branch)}")
            taken.listen()

    def do_free_port(self, word):
        for branch in self.targets(word):
            self.taken_ports.pop(branch).close()

    def do_second_refused(self, word, code, text):
        """A second process on the folder of a running branch must end by itself with this exit code, and say this."""
        for branch in self.targets(word):
            command = self.bank.command(branch)
            command[command.index("--listen") + 1] = "localhost:0"
            second = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS)
            assert second.returncode == int(code), f"it ended with {second.returncode}, not {code}: {second.stderr[-500:]}"
            assert text in second.stderr.splitlines()[-1], f"it said: {second.stderr[-500:]}"

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

    def do_snapshot(self, word):
        for branch in self.targets(word):
            subprocess.run([bank.BIN / "bankctl", "snapshot", "--at", f"{branch}={self.bank.address(branch)}"],
                           capture_output=True, timeout=WAIT_SECONDS)

    def do_transfer(self):
        subprocess.run([bank.BIN / "bankctl", "transfer", "--at", self.bank.addresses], capture_output=True, timeout=WAIT_SECONDS)

    def do_storm(self, count):
        """Random faults one after the other; every one is healed before the branches run out of quorum."""
        for _ in range(int(count)):
            kind = self.rng.choice(["kill", "pause", "isolate", "cut", "slow", "delay", "break"])
            if kind == "kill":
                self.do_kill("random")
                self.do_ops(60)
                self.bank.start(self.last, wait=False)
            elif kind == "pause":
                self.do_pause("random")
                self.do_hold(self.rng.uniform(0.1, 2))
                self.do_continue()
            elif kind == "isolate":
                self.do_isolate("random")
                self.do_hold(self.rng.uniform(0.2, 2))
            elif kind == "cut":
                a, b = self.rng.sample(self.bank.ids, 2)
                self.do_cut(str(a), "->", str(b))
                self.do_hold(self.rng.uniform(0.2, 2))
            elif kind == "slow":
                self.do_disk("random", "slow", str(self.rng.choice([5, 20, 80])))
                self.do_hold(self.rng.uniform(0.2, 1))
            elif kind == "delay":
                self.do_delay(self.rng.choice([1, 10, 50]), 20)
                self.do_hold(self.rng.uniform(0.2, 1))
            else:
                self.do_break_connections(0.01)
                self.do_hold(self.rng.uniform(0.2, 1))
            self.do_heal()
            self.bank.wait_ready(seconds=WAIT_SECONDS)

"""Steps about branch processes: kill, pause, start, what they must say as they end, their limits and ports."""
import os
import pathlib
import resource
import signal
import socket
import subprocess
import time

import bank
from trial import WAIT_SECONDS


def bind(taken, port):
    try:
        taken.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


class ProcessSteps:
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

    def do_second_refused(self, word, code, text):
        """A second process on the folder of a running branch must end by itself with this exit code, and say this."""
        for branch in self.targets(word):
            command = self.bank.command(branch)
            command[command.index("--listen") + 1] = "localhost:0"
            second = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS)
            assert second.returncode == int(code), f"it ended with {second.returncode}, not {code}: {second.stderr[-500:]}"
            assert text in second.stderr.splitlines()[-1], f"it said: {second.stderr[-500:]}"

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


    def do_said(self, word, text, count):
        """Branches have said this so many times since their first start, when they serve."""
        for branch in self.targets(word):
            found = self.wait_for(lambda b=branch: self.listens(b) and self.bank.log(b).read_text(errors="replace"), f"branch {branch} to listen")
            assert found.count(text) == int(count), f"branch {branch} said '{text}' {found.count(text)} times, not {count}: {found[-800:]}"

    def listens(self, branch):
        return (self.bank.status(branch) or {}).get("branch") == branch

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

    def do_snapshot(self, word):
        for branch in self.targets(word):
            subprocess.run([bank.BIN / "bankctl", "snapshot", "--at", f"{branch}={self.bank.address(branch)}"],
                           capture_output=True, timeout=WAIT_SECONDS)

    def do_transfer(self):
        subprocess.run([bank.BIN / "bankctl", "transfer", "--at", self.bank.addresses], capture_output=True, timeout=WAIT_SECONDS)

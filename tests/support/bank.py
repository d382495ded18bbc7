"""A real bank of branch processes, for tests and benchmarks: start, kill, restart, ask.

Every process started here is stopped here, by its own id. Nothing sleeps: readiness comes from the
health service (bankctl wait-ready), the end of a process from waiting for it.
"""
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = "shared"  # the account that every bank begins with
BIN = pathlib.Path(os.environ.get("BANK_BIN", ROOT / "build/release/bin"))
# How many times longer than a release build these programs may take (4 when sanitized).
PATIENCE = int(os.environ.get("BANK_PATIENCE", 1))
STOP_SECONDS = 20 * PATIENCE
SANITIZER_EXIT_CODE = 66  # ThreadSanitizer's own; CMakePresets.json gives it to the others too


def free_base_port(count):
    """A port P such that P+1 .. P+count can be bound now."""
    for _ in range(200):
        base = random.randrange(10000, 31000 - count)
        with contextlib.ExitStack() as stack:
            try:
                for port in range(base + 1, base + count + 1):
                    taken = stack.enter_context(socket.socket())
                    taken.bind(("127.0.0.1", port))
            except OSError:
                continue
            return base
    raise RuntimeError("no free ports")


class Certificates:
    """A throw-away authority, and certificates for localhost in its name."""

    def __init__(self, folder):
        self.folder = folder
        subprocess.run([ROOT / "scripts/make_certificates.sh", folder], check=True)

    def add(self, name):
        """A further certificate, of that common name."""
        for command in (
                ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                 "-keyout", f"{name}.key", "-out", f"{name}.csr"],
                ["x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "7", "-out", f"{name}.pem"]):
            subprocess.run(["openssl", *command], cwd=self.folder, check=True, capture_output=True)

    def environment(self, name):
        """What the bank's programs read their TLS files from."""
        return {"BANK_TLS_CA": str(self.folder / "ca.pem"), "BANK_TLS_CERT": str(self.folder / f"{name}.pem"),
                "BANK_TLS_KEY": str(self.folder / f"{name}.key")}

    def pem(self, name):
        """Authority, key and certificate, as gRPC for Python takes them."""
        return [(self.folder / file).read_bytes() for file in ("ca.pem", f"{name}.key", f"{name}.pem")]


class Bank:
    """Branches 1..n on loopback. Use as a context manager: leaving it ends every process, and fails
    if one of them ended badly (a sanitizer's report, for one, shows in the exit code alone)."""

    def __init__(self, branches=3, balance=400, folder=None, flags=(), env=None, http=False, tls=False):
        self.ids = list(range(1, branches + 1))
        self.balance = balance
        self.flags = list(flags)
        self.env = env or {}
        self.own_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="bank-"))
        self.tls = Certificates(self.folder / "tls") if tls else None
        if tls:
            self.env = {**self.tls.environment("bank"), **self.env}
        # With http, branch i's console is at base + n + i.
        self.base = free_base_port(2 * branches if http else branches)
        self.http = http
        self.processes = {}

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind, *_):
        unclean = self.stop()
        if kind is None and unclean:
            raise AssertionError(f"branches ended badly, exit codes {unclean}:\n{self.logs(lines=80)}")
        if self.own_folder and kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def environment(self):
        return {**os.environ, **self.env}

    def port(self, branch):
        return self.base + branch

    def address(self, branch):
        return f"localhost:{self.port(branch)}"

    def http_address(self, branch):
        return f"localhost:{self.base + len(self.ids) + branch}"

    @property
    def addresses(self):
        return ",".join(f"{i}={self.address(i)}" for i in self.ids)

    def data(self, branch):
        return self.folder / f"branch-{branch}"

    def log(self, branch):
        return self.folder / f"branch-{branch}.log"

    def command(self, branch, *extra):
        return [str(BIN / "branch"), "--id", str(branch), "--listen", self.address(branch),
                "--peers", self.addresses, "--data", str(self.data(branch)),
                "--initial-balance", str(self.balance),
                *(["--http", self.http_address(branch)] if self.http else []), *self.flags, *extra]

    def start(self, branches=None, *extra, wait=True):
        for branch in self.ids if branches is None else branches:
            before = self.processes.get(branch)
            if before and before.poll() == SANITIZER_EXIT_CODE:
                raise AssertionError(f"a sanitizer ended branch {branch}:\n{self.log(branch).read_text(errors='replace')[-8000:]}")
            with open(self.log(branch), "ab") as log:
                self.processes[branch] = subprocess.Popen(
                    self.command(branch, *extra), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                    env=self.environment)
        if wait:
            self.wait_ready()

    def wait_ready(self, branches=None, seconds=60 * PATIENCE):
        at = ",".join(f"{i}={self.address(i)}" for i in branches or self.running())
        done = subprocess.run([BIN / "bankctl", "wait-ready", "--at", at, "--timeout", str(seconds)],
                              capture_output=True, text=True, env=self.environment)
        if done.returncode != 0:
            raise RuntimeError(f"not ready: {done.stderr.strip()}\n{self.logs()}")

    def running(self):
        return [i for i in self.ids if i in self.processes and self.processes[i].poll() is None]

    def kill(self, branch, sign=signal.SIGKILL):
        process = self.processes[branch]
        process.send_signal(sign)
        return process.wait(timeout=30 * PATIENCE)

    def stop(self):
        """Returns the exit codes of branches that neither ended cleanly nor were killed, by branch."""
        for branch in self.running():
            self.processes[branch].send_signal(signal.SIGCONT)
            self.processes[branch].terminate()
        unclean = {}
        for branch, process in self.processes.items():
            try:
                if process.wait(timeout=STOP_SECONDS) not in (0, -signal.SIGKILL):
                    unclean[branch] = process.returncode
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                unclean[branch] = f"none within {STOP_SECONDS} s of SIGTERM"
        return unclean

    def statuses(self, branches=None):
        """What the given branches (default: all running ones) say of themselves, by branch. A paused one says nothing."""
        asked = branches or self.running()
        if not asked:
            return {}
        at = ",".join(f"{i}={self.address(i)}" for i in asked)
        done = subprocess.run([BIN / "bankctl", "status", "--at", at, "--timeout", "2", "-w", "json"],
                              capture_output=True, text=True, timeout=30 * PATIENCE, env=self.environment)
        rows = [json.loads(line) for line in done.stdout.splitlines()]  # one JSON object per branch
        return {row["branch"]: row for row in rows if "role" in row and row["branch"] in asked}

    def status(self, branch):
        return self.statuses([branch]).get(branch)

    def leader(self):
        """The leader of the newest term that anyone knows of, or None."""
        leaders = [row for row in self.statuses().values() if row["role"] == "leader"]
        return max(leaders, key=lambda row: row["term"])["branch"] if leaders else None

    def wait_for_position(self, branch, position):
        """Until `branch` has applied that far. Asks again and again: each answer takes its time."""
        while self.status(branch)["position"] < position:
            pass

    def serving(self, branch):
        """What the branch's health says; False if it does not answer."""
        done = subprocess.run([BIN / "bankctl", "health", "--at", f"{branch}={self.address(branch)}", "--timeout", "2", "-w", "json"],
                              capture_output=True, text=True, timeout=30, env=self.environment)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        return any(row.get("service") == "bank.v1.Customer" and row.get("health") == "serving" for row in rows)

    def digests(self):
        """One record per branch, all at one log index; raises if they cannot be had."""
        out = self.folder / "digests.jsonl"
        done = subprocess.run([BIN / "bankctl", "digests", "--at", self.addresses, "--output", out],
                              capture_output=True, text=True, timeout=90 * PATIENCE, env=self.environment)
        if done.returncode != 0:
            raise RuntimeError(f"no digests: {done.stderr.strip()}")
        return [json.loads(line) for line in out.read_text().splitlines()]

    def logs(self, lines=15):
        return "\n".join(f"--- {self.log(i)}\n" + "".join(self.log(i).read_text(errors="replace").splitlines(True)[-lines:])
                         for i in self.ids if self.log(i).exists())

"""A bank that is left up goes on when a branch dies, takes it back, and nobody who starts in its place harms it."""
import fcntl
import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import tempfile
import termios
import unittest

import bank
import deposits
import refusals
from serving import Served


def run_all(*arguments):
    return subprocess.run([bank.ROOT / "run_all.sh", *map(str, arguments)], capture_output=True, text=True, timeout=120 * bank.PATIENCE)


class Serve(refusals.Refusals):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "out"

    def test_each_branch_is_killed_in_turn_while_deposits_go_on(self):
        with Served(self.out) as served, deposits.Deposits(served.addresses) as paying:
            for branch in served.ids:
                paying.await_more(2)
                line = served.kill(branch)
                self.assertIn(f"restart it: ./run_all.sh --restart {branch} --base-port {served.base} --out {self.out}", line)
                paying.await_more(5)
                done = served.restart(branch)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertIn(f"branch {branch} serves customers", done.stdout)
                self.assertEqual(len(served.pids(branch)), 2)
            paying.await_more(2)
            paying.over = True
            paying.thread.join()
            self.assertEqual(paying.failed, [])
            for branch in served.ids:
                self.assertEqual(served.balance(branch), 400 + paying.paid)

    def test_the_bank_waits_for_its_branches_also_when_all_are_dead(self):
        with Served(self.out, branches=2) as served:
            served.kill(1)
            served.kill(2)
            first = subprocess.Popen([bank.ROOT / "run_all.sh", "--out", self.out, "--restart", "1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            served.await_line("branch 1", count=3)
            second = served.restart(2, "--base-port", served.base)
            self.assertEqual(second.returncode, 0, second.stderr)
            printed, _ = first.communicate(timeout=90 * bank.PATIENCE)
            self.assertEqual(first.returncode, 0, printed)
            self.assertEqual(served.balance(), 400)

    def test_a_branch_that_cannot_start_again_says_why(self):
        with Served(self.out) as served:
            served.kill(2)
            data = next(self.out.glob("2*/branch-2"))
            (data / "identity").write_text("not this one")
            done = served.restart(2)
            self.refused(done, 6, "branch 2 died again", "identity")
            served.await_line("branch 2 ", count=3)
            self.assertEqual(served.balance(), 400)

    def test_restarting_what_is_not_dead_or_not_there_is_refused(self):
        self.refused(run_all("--restart", "1", "--out", self.out), 3, "no bank is served from here")
        with Served(self.out) as served:
            self.refused(served.restart(2), 2, f"branch 2 lives (pid {served.pids(2)[-1]})")
            self.refused(served.restart(9), 2, "no branch 9", "1, 2, 3")
            self.refused(served.restart(1, "--base-port", served.base + 1), 3, f"at base port {served.base + 1}")
            with Served(self.out, branches=1) as other:
                served.kill(3)
                bases = sorted([served.base, other.base])
                self.refused(served.restart(3), 3, f"--base-port {bases[0]}, --base-port {bases[1]}")
                self.assertEqual(served.restart(3, "--base-port", served.base).returncode, 0)
        self.refused(run_all("--restart", "1", "--out", self.out), 3, "no bank is served from here")

    def test_the_key_r_starts_dead_branches_again(self):
        keyboard, terminal = pty.openpty()
        self.addCleanup(os.close, keyboard)
        own_terminal = lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        before = termios.tcgetattr(terminal)
        with Served(self.out, stdin=terminal, preexec_fn=own_terminal) as served:
            for branches in ([2], [1, 3]):
                for branch in branches:
                    self.assertIn(f"press r, or: ./run_all.sh --restart {branch} ", served.kill(branch))
                os.write(keyboard, b"xr")
                for branch in branches:
                    served.await_line(f"branch {branch} (pid", count=3)
                    self.assertEqual(len(served.pids(branch)), 2)
            os.write(keyboard, b"r")
            served.await_line("all branches live")
            self.assertEqual(served.balance(2), 400)
        self.assertEqual(termios.tcgetattr(terminal), before)
        os.close(terminal)

    def test_it_goes_on_though_nobody_reads_what_it_says(self):
        served = Served(self.out)
        with subprocess.Popen(served.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            pids = {}
            for line in process.stdout:
                if found := re.match(r"branch (\d) \(pid (\d+)\)", line):
                    pids[int(found[1])] = int(found[2])
                if line.startswith("Ctrl-C"):
                    break
            process.stdout.close()
            for branch in (2, 3):
                os.kill(pids[branch], signal.SIGKILL)
                while (done := served.restart(branch)).returncode == 2:  # "lives": it dies in a moment
                    pass
                self.assertEqual(done.returncode, 0, done.stderr)
            process.terminate()
            self.assertEqual(process.stderr.read(), "")
            self.assertEqual(process.wait(), 128 + signal.SIGTERM)

    def test_a_second_bank_in_its_place_takes_nothing_from_it(self):
        with Served(self.out) as served, deposits.Deposits(served.addresses) as paying:
            for _ in range(3):
                self.refused(run_all("--serve", "--no-build", "--base-port", served.base, "--out", self.out), 3, "in use")
                paying.await_more(2)
            self.assertEqual(served.process.poll(), None)
            self.assertNotIn("died", served.text())

    def test_a_replay_at_a_strangers_ports_is_refused_and_pays_nothing_in(self):
        script = self.folder / "deposit.json"
        script.write_text(json.dumps([{"id": 1, "type": "customer", "events": [{"id": 1, "interface": "deposit", "money": 1000}]},
                                      *({"id": i, "type": "branch", "balance": 400} for i in (1, 2, 3))]))
        with Served(self.out) as served:
            for _ in range(3):
                self.refused(run_all(script, "--no-build", "--base-port", served.base, "--out", self.out), 3, "in use")
            # One place of three is taken, and the others answer.
            self.refused(run_all(script, "--no-build", "--base-port", served.base - 2, "--out", self.out), 3, "in use", str(served.base + 1))
            self.assertEqual(served.balance(), 400)

    def test_a_signal_while_it_starts_leaves_nothing_behind(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            served = Served(self.out)
            with subprocess.Popen(served.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
                self.assertIn("starting 3 branches", process.stdout.readline())
                process.send_signal(number)
                rest, _ = process.communicate(timeout=2 * bank.STOP_SECONDS)
                self.assertEqual(process.returncode, 128 + number, rest)
                self.assertNotIn("Traceback", rest)


if __name__ == "__main__":
    unittest.main()

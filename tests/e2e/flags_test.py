"""Every flag of run_all.sh has an effect or is refused, alone and with every other; numbers are strict decimals.

Method: the programs are stand-ins that only tell that run_all.sh came as far as using them.
"""
import itertools
import pathlib
import subprocess
import tempfile
import unittest

import bank
import refusals

USAGE = 1
ACCEPTED = 70  # what the stand-ins end with

ARGUMENTS = {
    "INPUT": ["input.json"], "--order": ["--order", "concurrent"], "--output": ["--output", "output.json"], "--replicator": ["--replicator", "raft"],
    "--tls": ["--tls"], "--base-port": ["--base-port", "50050"], "--out": ["--out", "runs"], "--no-build": ["--no-build"], "--serve": ["--serve"],
    "--branches": ["--branches", "2"], "--initial-balance": ["--initial-balance", "7"], "--data": ["--data", "data"], "--restart": ["--restart", "2"],
    "--project": ["--project", "1"], "--against": ["--against", "theirs.json"], "--pause": ["--pause", "1"], "--kill": ["--kill", "2"],
}
COMMON = {"--base-port", "--out"}
STARTS = COMMON | {"--replicator", "--tls", "--no-build"}
EFFECTIVE = {
    "replay": STARTS | {"INPUT", "--project", "--order", "--output"},
    "--against": {"INPUT", "--project", "--order", "--pause", "--kill", "--out", "--no-build"},
    "--serve": STARTS | {"--branches", "--initial-balance", "--data"},
    "--restart": COMMON,
}


class Flags(refusals.Refusals):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for program in ("branch", "customer", "bankctl", "checker"):
            (self.folder / program).write_text(f"#!/bin/sh\nexit {ACCEPTED}\n")
            (self.folder / program).chmod(0o755)
        (self.folder / "theirs.json").write_text('{"customers": "true"}')

    def run_all(self, *arguments, **environment):
        runs = lambda: sorted(self.folder.glob("*/*"))
        before = runs()
        done = subprocess.run([bank.ROOT / "run_all.sh", *arguments], capture_output=True, text=True, cwd=self.folder, timeout=30 * bank.PATIENCE,
                              env={"PATH": "/usr/bin:/bin", "BANK_BIN": str(self.folder), "BANK_OUT": str(self.folder / "out"), **environment})
        self.made_a_run = runs() != before
        return done

    def refused(self, done, *words):
        super().refused(done, USAGE, *words)
        self.assertEqual(done.stdout, "")
        self.assertFalse(self.made_a_run)

    def test_every_pair(self):
        for pair in itertools.combinations(ARGUMENTS, 2):
            with self.subTest(pair):
                mode = next((flag for flag in ("--serve", "--restart", "--against") if flag in pair), "replay")
                strangers = set(pair) - EFFECTIVE[mode] - {mode}
                arguments = [*ARGUMENTS[pair[0]], *ARGUMENTS[pair[1]]]
                if mode != "--restart" and "--no-build" not in pair:
                    arguments.append("--no-build")
                done = self.run_all(*arguments)
                if strangers:
                    self.refused(done)
                    self.assertTrue(any(flag in done.stderr or flag == "INPUT" and "input" in done.stderr for flag in strangers), done.stderr)
                elif mode == "--restart":
                    self.assertEqual(done.returncode, 3, done.stderr)
                    self.assertIn("no bank is served", done.stderr)
                else:
                    self.assertEqual(done.returncode, ACCEPTED, done.stdout + done.stderr)

    def test_every_flag_twice(self):
        for flag, arguments in ARGUMENTS.items():
            with self.subTest(flag):
                self.refused(self.run_all(*arguments, *arguments), "input.json" if flag == "INPUT" else f"{flag} is given twice")

    def test_every_flag_without_its_value(self):
        for flag, arguments in ARGUMENTS.items():
            with self.subTest(flag):
                if flag == "INPUT" or len(arguments) == 2:
                    self.refused(self.run_all(*([""] if flag == "INPUT" else [flag, ""])), flag, "needs a value")
                if len(arguments) == 2:
                    self.refused(self.run_all(flag), flag, "needs a value")

    def test_numbers_are_strict_decimals(self):
        bad = ["010", "0x10", "+7", "-7", "7 ", " 7", "7.0", "1e3", "7a", "99999999999999999999", "18446744073709551623", "9223372036854775808", "$((7))", "a[$(id)]"]
        for flag, more in {"--initial-balance": ["00"], "--branches": ["0", "201"], "--base-port": ["0", "65536"]}.items():
            for value in bad + more:
                with self.subTest(flag=flag, value=value):
                    self.refused(self.run_all("--serve", "--no-build", flag, value), flag, f"'{value}'", "is not a number from")
        for value in [*bad, "0", "4294967296"]:
            with self.subTest(flag="--restart", value=value):
                self.refused(self.run_all("--restart", value), "--restart", f"'{value}'")
        for flag in ("--pause", "--kill"):
            self.refused(self.run_all("--against", "theirs.json", flag, "0"), flag, "'0' is not a number from")
        for flag, values in {"--initial-balance": ["0", "9223372036854775807"], "--branches": ["1", "200"]}.items():
            for value in values:
                with self.subTest(flag=flag, value=value):
                    self.assertEqual(self.run_all("--serve", "--no-build", flag, value).returncode, ACCEPTED)

    def test_ports_that_do_not_fit(self):
        self.refused(self.run_all("--serve", "--no-build", "--base-port", "65535"), "branch 1", "65536")
        self.refused(self.run_all("--serve", "--no-build", "--base-port", "64533"), "console of branch 3", "65536")
        self.assertEqual(self.run_all("--serve", "--no-build", "--base-port", "64532").returncode, ACCEPTED)

    def test_without_a_program_it_says_which(self):
        (self.folder / "checker").unlink()
        done = self.run_all("--no-build")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(done.stderr, f"run_all.sh: there is no program {self.folder}/checker: build it first (scripts/build.sh)\n")

    def test_names(self):
        self.refused(self.run_all("--no-build", "--order", "random"), "'random' is not one of: sequential, converged, concurrent")
        self.refused(self.run_all("--no-build", "--replicator", "none"), "'none' is not one of: raft")
        self.refused(self.run_all("--frobnicate"), "unknown option '--frobnicate'")


if __name__ == "__main__":
    unittest.main()

"""run_all.sh for somebody who may not write to the checkout: it says so, runs all the same, or says what to do."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import bank
import refusals

NOBODY = 65534
STRANGER = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.getuid() == 0 else []


class Places(refusals.Refusals):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(subprocess.run, ["chmod", "-R", "u+w", folder.name], check=True)
        self.folder = pathlib.Path(folder.name)
        self.folder.chmod(0o755)
        self.checkout = self.folder / "checkout"
        self.checkout.mkdir()
        for part in ("scripts", "input"):
            shutil.copytree(bank.ROOT / part, self.checkout / part)
        shutil.copy2(bank.ROOT / "run_all.sh", self.checkout)
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()
        self.temporary.chmod(0o1777)
        self.own = self.temporary / f"bank-{NOBODY if STRANGER else os.getuid()}"

    def with_programs(self):
        programs = self.checkout / "build/release/bin"
        programs.mkdir(parents=True)
        for name in ("branch", "customer", "bankctl", "checker"):
            shutil.copy2(bank.BIN / name, programs)

    def run_all(self, *arguments, **environment):
        subprocess.run(["chmod", "-R", "a-w,a+rX", self.checkout], check=True)
        return subprocess.run([*STRANGER, self.checkout / "run_all.sh", *map(str, arguments)], capture_output=True, text=True, cwd="/",
                              timeout=120 * bank.PATIENCE, env={"PATH": os.environ["PATH"], "TMPDIR": str(self.temporary), **environment})

    def test_the_run_is_kept_elsewhere_and_that_is_said(self):
        self.with_programs()
        done = self.run_all()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("the programs are used as they are", done.stdout)
        self.assertIn(f"may not write to {self.checkout}: logs and answers go to {self.own} (elsewhere: --out DIR)", done.stdout)
        output = json.loads((self.own / "latest/output.json").read_text())
        self.assertEqual(output, json.loads((bank.ROOT / "input/expected/three_branches.json").read_text()))
        self.assertEqual(self.own.stat().st_mode & 0o777, 0o700)

    def test_out_and_its_environment_variable_say_where(self):
        self.with_programs()
        for number, place in enumerate([dict(arguments=["--out", self.temporary / "a/b"]), dict(environment={"BANK_OUT": str(self.temporary / "c")})]):
            done = self.run_all("--no-build", *place.get("arguments", []), **place.get("environment", {}))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertNotIn("may not write", done.stdout)
            self.assertTrue((self.temporary / ("a/b", "c")[number] / "latest/output.json").exists())
        self.assertFalse(self.own.exists())

    def test_a_place_that_cannot_be_written_to_is_refused(self):
        self.with_programs()
        self.refused(self.run_all("--no-build", "--out", self.checkout / "input"), 2, str(self.checkout / "input"), "--out DIR")
        self.refused(self.run_all("--no-build", "--out", "/dev/null"), 2, "/dev/null", "--out DIR")

    def test_somebody_elses_folder_of_that_name_is_refused(self):
        self.with_programs()
        for trap in ("a link", "a folder for all"):
            with self.subTest(trap):
                elsewhere = self.temporary / "elsewhere"
                elsewhere.mkdir(exist_ok=True)
                elsewhere.chmod(0o777)
                if trap == "a link":
                    self.own.symlink_to(elsewhere)
                else:
                    self.own.unlink()
                    self.own.mkdir()
                    self.own.chmod(0o777)
                self.refused(self.run_all("--no-build"), 2, str(self.own), "--out DIR")
                self.assertEqual(list(elsewhere.iterdir()), [])

    def test_without_programs_it_says_what_to_do(self):
        self.refused(self.run_all(), 3, "nothing is built yet", str(self.checkout), "copy the checkout")
        self.assertFalse(self.own.exists())


if __name__ == "__main__":
    unittest.main()

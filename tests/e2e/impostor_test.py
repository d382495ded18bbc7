"""A second process that is started in a living branch's place takes nothing from the bank.

It ends with exit code 3 and one line, has greeted no other branch, and has made no data folder; and the
bank takes deposits all along, also when it needs that very branch for its quorum.
"""
import pathlib
import subprocess
import tempfile
import unittest

import bank
import deposits

ROUNDS = 6


class Impostor(unittest.TestCase):
    def command(self, branches, branch, **other):
        """The living branch's own, but for some flags' values."""
        command = branches.command(branch)
        for flag, value in other.items():
            command[command.index(f"--{flag}") + 1] = str(value)
        return command

    def is_refused(self, branches, branch, **other):
        done = subprocess.run(self.command(branches, branch, **other), capture_output=True, text=True, timeout=30 * bank.PATIENCE, env=branches.environment)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(done.stderr.count("in use"), 1, done.stderr)
        return done

    def free_address(self):
        return f"localhost:{bank.free_base_port(1) + 1}"

    def paying_in(self, branches):
        return deposits.Deposits(f"1={branches.address(1)}", "--operation-timeout", "10", env=branches.environment)

    def harmless(self, http):
        with bank.Bank(http=http) as branches, tempfile.TemporaryDirectory() as elsewhere:
            branches.kill(3)  # from here on 1 and 2 are the quorum
            with self.paying_in(branches) as paying:
                paying.await_more(1)
                for number in range(ROUNDS):
                    folder = pathlib.Path(elsewhere) / str(number)
                    # With http, its own port is free and the console's is not.
                    self.is_refused(branches, 2, data=folder, **({"listen": self.free_address()} if http else {}))
                    self.assertFalse(folder.exists())
                    paying.await_more(2)
                self.is_refused(branches, 2)
                paying.await_more(2)
            self.assertEqual(paying.failed, [])
            for branch in (1, 2):
                self.assertNotIn("newer stream", branches.log(branch).read_text())

    def test_the_branchs_port_is_in_use(self):
        self.harmless(http=False)

    def test_the_consoles_port_is_in_use(self):
        self.harmless(http=True)

    def test_the_data_folder_is_in_use(self):
        with bank.Bank() as branches:
            for _ in range(ROUNDS):
                done = self.is_refused(branches, 2, listen=self.free_address())
                self.assertIn(str(branches.data(2)), done.stderr)
            self.assertNotIn("newer stream", branches.log(2).read_text())

    def test_a_living_branch_that_another_process_spoke_for_is_heard_again(self):
        """The other one has a port and a folder of its own, and the living one's number."""
        with bank.Bank() as branches, tempfile.TemporaryDirectory() as elsewhere:
            branches.kill(3)
            with subprocess.Popen(self.command(branches, 2, data=elsewhere, listen=self.free_address()), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, env=branches.environment) as other, self.paying_in(branches) as paying:
                try:
                    while "a newer stream of this branch was seen" not in branches.log(2).read_text():
                        self.assertIsNone(other.poll())
                        paying.await_more(1)
                finally:
                    other.kill()
                paying.await_more(2)
            self.assertEqual(paying.failed, [])


if __name__ == "__main__":
    unittest.main()

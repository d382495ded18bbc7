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
    def start_in_the_place_of(self, branches, branch, folder, *extra):
        command = branches.command(branch, *extra)
        command[command.index("--data") + 1] = str(folder)
        done = subprocess.run(command, capture_output=True, text=True, timeout=30 * bank.PATIENCE, env=branches.environment)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(done.stderr.count("in use"), 1, done.stderr)
        return done

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
                    extra = ["--listen", f"localhost:{bank.free_base_port(1) + 1}"] if http else []
                    self.start_in_the_place_of(branches, 2, folder, *extra)
                    self.assertFalse(folder.exists())
                    paying.await_more(2)
                self.start_in_the_place_of(branches, 2, branches.data(2))
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
            free = f"localhost:{bank.free_base_port(1) + 1}"
            for _ in range(ROUNDS):
                done = self.start_in_the_place_of(branches, 2, branches.data(2), "--listen", free)
                self.assertIn(str(branches.data(2)), done.stderr)
            self.assertNotIn("newer stream", branches.log(2).read_text())

    def test_a_living_branch_that_another_process_spoke_for_is_heard_again(self):
        """The other one has a port and a folder of its own, and the living one's number."""
        with bank.Bank() as branches, tempfile.TemporaryDirectory() as elsewhere:
            branches.kill(3)
            command = branches.command(2, "--listen", f"localhost:{bank.free_base_port(1) + 1}")
            command[command.index("--data") + 1] = elsewhere
            for _ in range(3):
                other = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=branches.environment)
                self.assertIn("listens", other.stdout.readline())
                other.kill()
                other.communicate()
                with self.paying_in(branches) as paying:
                    paying.await_more(2)
                self.assertEqual(paying.failed, [])


if __name__ == "__main__":
    unittest.main()

"""More connections than a branch may have open files: callers are turned away, and once there is room the branch takes
customers again. (gRPC alone stops listening for ever.)"""
import resource
import socket
import subprocess
import unittest

import bank

FILES = 80  # room for the branch itself, not for the crowd
CROWD = 120


@unittest.skipIf(bank.PATIENCE > 1, "sanitizers open files of their own whenever they look at an object")
class Crowd(unittest.TestCase):
    def test_a_branch_listens_again_when_the_crowd_is_gone(self):
        with bank.Bank(branches=1, balance=7) as branches:
            resource.prlimit(branches.processes[1].pid, resource.RLIMIT_NOFILE, (FILES, FILES))
            crowd = [socket.create_connection(("localhost", branches.port(1)), timeout=30) for _ in range(CROWD)]
            turned_away = 0
            for caller in crowd[FILES:]:
                caller.settimeout(30 * bank.PATIENCE)
                turned_away += self.ended(caller)
            self.assertEqual(turned_away, CROWD - FILES, branches.logs())
            for caller in crowd:
                caller.close()
            asked = subprocess.run([bank.BIN / "customer", "call", "query", "--at", branches.address(1)],
                                   capture_output=True, text=True, timeout=60 * bank.PATIENCE)
            self.assertEqual(asked.returncode, 0, asked.stderr + branches.logs())
            self.assertIn("turned away", branches.log(1).read_text())

    @staticmethod
    def ended(caller):
        """Whether the branch closed the connection without the greeting that gRPC begins with."""
        try:
            return caller.recv(1) == b""
        except ConnectionResetError:
            return True


if __name__ == "__main__":
    unittest.main()

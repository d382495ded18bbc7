"""What every refusal of a program looks like: one line that says what, and a fixed exit code."""
import unittest


class Refusals(unittest.TestCase):
    def refused(self, done, exit_code, *words):
        self.assertEqual(done.returncode, exit_code, done.stdout + done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

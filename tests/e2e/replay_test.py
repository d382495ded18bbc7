"""A bank that stays up keeps what a replay left in it. The history of the next replay says what the bank held before
that run, not what the input says, and is right."""
import json
import subprocess
import unittest

import bank

INPUT = [{"id": 1, "type": "customer", "events": [{"id": 1, "interface": "deposit", "money": 170}]},
         {"id": 2, "type": "customer", "events": [{"id": 2, "interface": "withdraw", "money": 70},
                                                  {"id": 3, "interface": "query"}]},
         {"id": 1, "type": "branch", "balance": 400}, {"id": 2, "type": "branch", "balance": 400},
         {"id": 3, "type": "branch", "balance": 400}]


class ReplayTest(unittest.TestCase):
    def test_a_second_replay_at_the_same_bank_is_right(self):
        with bank.Bank(balance=400) as branches:
            script = branches.folder / "input.json"
            script.write_text(json.dumps(INPUT))
            for run, held in enumerate((400, 500)):
                history = branches.folder / f"history-{run}.jsonl"
                subprocess.run([bank.BIN / "customer", "replay", script, "--at", branches.addresses, "--history", history],
                               check=True, capture_output=True, timeout=60 * bank.PATIENCE)
                self.assertEqual(json.loads(history.read_text().splitlines()[0])["initial"], {"shared": held})
                judged = subprocess.run([bank.BIN / "checker", history], capture_output=True, text=True,
                                        timeout=60 * bank.PATIENCE)
                self.assertEqual(judged.returncode, 0, judged.stdout + judged.stderr)


if __name__ == "__main__":
    unittest.main()

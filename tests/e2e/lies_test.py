#!/usr/bin/python3
"""A stranger speaks to the branches as one of them, and lies.

Goal: nothing well-formed that he says of a branch (that it lost what it acknowledged, that it is no
member any more, that there is a bank or none) ends the branch, changes its folder or takes its vote.
Method: real branches. He says it to each of them, in every other's name, while there is a leader,
while there is none and before the bank was ever founded. Then the bank elects and takes deposits,
also after a restart on the same folders. He forges no entries and no votes: only a certificate keeps
those out.
"""
import tempfile
import unittest

import bank
import customer
import grpc
import stranger
from stranger import DEADLINE_S, message

FAR_AHEAD = 10**9
# Nobody campaigns while he speaks.
SLOW_ELECTIONS = ("--election-timeout-ms", "4000")


class Lies(unittest.TestCase):
    def tell(self, liar, to, name, *messages):
        code, told = liar.say(to, *messages, branch=name)
        self.assertEqual(code, grpc.StatusCode.OK, told)

    def expect_takes_deposits(self, of):
        self.assertEqual(of.running(), of.ids, of.logs())
        for branch in of.ids:
            one = customer.Customer(of.address(branch))
            self.addCleanup(one.close)
            self.assertIsNotNone(one.deposit(5, DEADLINE_S), of.logs())

    def restart(self, of):
        for branch in of.running():
            of.kill(branch)
        of.start()

    def test_nobody_stops_on_the_word_of_a_leader_that_did_not_speak(self):
        with bank.Bank() as of:
            liar = stranger.Stranger(of, self)
            for told in of.ids:
                for name in of.ids:
                    if name == told:
                        continue
                    self.assertEqual(of.running(), of.ids, of.logs())
                    term = of.status(told)["term"]
                    self.tell(liar, told, name, message("log_behind_acknowledged", term=term, acknowledged=FAR_AHEAD),
                              message("log_behind_acknowledged", term=term + 1, acknowledged=FAR_AHEAD))
            self.expect_takes_deposits(of)
            for branch in of.ids:
                self.assertNotIn("--rebuild", of.log(branch).read_text())
            self.restart(of)
            self.expect_takes_deposits(of)

    def test_nobody_leaves_the_bank_while_nobody_leads(self):
        with bank.Bank(flags=SLOW_ELECTIONS) as of:
            liar = stranger.Stranger(of, self)
            leader = of.leader()
            alone, other = (branch for branch in of.ids if branch != leader)
            of.kill(leader)
            of.kill(other)
            of.start([other], wait=False)
            for told in (alone, other):
                while of.status(told) is None:  # asks again and again: each answer takes its time
                    pass
                for name in of.ids:
                    if name != told:
                        self.tell(liar, told, name, *[message("no_member", term=term, configuration_index=FAR_AHEAD) for term in range(9)])
                self.assertNotEqual(of.status(told)["role"], "learner", of.logs())
            of.wait_ready([alone, other])
            of.start([leader])
            self.expect_takes_deposits(of)

    def test_a_new_bank_is_founded_all_the_same(self):
        of = bank.Bank(folder=self.enterContext(tempfile.TemporaryDirectory()))
        self.addCleanup(of.stop)
        of.start([1, 2], wait=False)  # they wait for the third
        for told in (1, 2):
            while of.status(told) is None:
                pass
            liar = stranger.Stranger(of, self)
            for name in of.ids:
                if name != told:
                    self.tell(liar, told, name, message("append_entries", version=1, term=2),
                              *[message("challenge_result", term=1, nonce=nonce, holds=True, life=nonce) for nonce in range(1, 100)])
        of.start([3])
        self.expect_takes_deposits(of)
        self.assertNotIn("filled by the others", of.logs(lines=1000))


if __name__ == "__main__":
    unittest.main()

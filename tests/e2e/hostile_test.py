#!/usr/bin/python3
"""A stranger speaks to the branches as one of them, and says what no branch says.

Goal: numbers beyond reason, entries that are none and bytes that are no message end no branch and no
election; and a refusal tells him nothing of the bank.
Method: a living bank of three. The stranger knows its number (he could read it from a folder), takes
the name of a follower and sends every kind of message, one bad field each, to both others. Then the
bank takes deposits, elects another leader, and takes deposits again. What is well-formed and a lie is told
in lies_test.py.
"""
import threading
import unittest

import bank
import customer
import grpc
import stranger
from stranger import DEADLINE_S, PEERS, message

MAX = 2**64 - 1
TERM_MAX, INDEX_MAX = 2**62, 2**48  # inclusive: branch/replication/engine/message.h
TERM_STEP_MAX = 2**20


def entry(term=1, type=1, payload=b""):
    return PEERS.Entry(term=term, type=type, payload=payload)


def bad_messages(name):
    """Each with one field that is out of its range; all else could be."""
    vote = dict(version=2, term=9, candidate=name, last_log_index=5, last_log_term=1, disrupt_leader=True)
    append = dict(version=1, term=9, prev_log_index=0, prev_log_term=0, leader_commit=0)
    for term in (MAX, TERM_MAX + 1, TERM_MAX, 2**61 + 1, TERM_STEP_MAX + 2**20):
        yield message("request_vote", **{**vote, "term": term})
        yield message("request_vote_result", version=2, term=term, vote_granted=True)
        yield message("append_entries", **{**append, "term": term})
        yield message("append_entries_result", version=1, term=term)
        yield message("timeout_now", version=1, term=term)
        yield message("read_probe", term=term, round=1)
        yield message("read_probe_result", term=term, round=1)
        yield message("lost_log", term=term)
        yield message("log_behind_acknowledged", term=term, acknowledged=1)
        yield message("challenge", term=term, nonce=1)
        yield message("challenge_result", term=term, nonce=1, holds=True, life=1)
        yield message("no_member", term=term, configuration_index=1)
    for index in (MAX, INDEX_MAX + 1):
        yield message("request_vote", **{**vote, "last_log_index": index})
        yield message("append_entries", **{**append, "prev_log_index": index})
        yield message("append_entries", **{**append, "leader_commit": index})
        yield message("append_entries_result", version=1, term=9, last_log_index=index)
        yield message("append_entries_result", version=1, term=9, rejected=min(index, MAX - 1))
        yield message("timeout_now", version=1, term=9, last_log_index=index)
        yield message("lost_log", term=9, last_log_index=index)
        yield message("log_behind_acknowledged", term=9, acknowledged=index)
        yield message("no_member", term=9, configuration_index=index)
        yield message("challenge", term=9, nonce=max(index, TERM_MAX + 1))
        yield message("challenge_result", term=9, nonce=max(index, TERM_MAX + 1), life=1)
        yield message("challenge_result", term=9, nonce=1, life=max(index, TERM_MAX + 1))
        yield message("append_entries_result", version=1, term=9, life=max(index, TERM_MAX + 1))
        yield message("challenge_result", term=9, nonce=1, acknowledged=index, life=1)
        yield message("challenge_result", term=9, nonce=1, no_member_since=index, life=1)
        yield message("read_probe", term=9, round=max(index, TERM_MAX + 1))
        yield message("read_probe_result", term=9, round=max(index, TERM_MAX + 1))
    yield message("request_vote", **{**vote, "candidate": name % 3 + 1})
    yield message("request_vote", **{**vote, "version": 256})
    yield message("request_vote", **{**vote, "last_log_term": 10})
    yield message("request_vote_result", version=2, term=9, features=65536)
    yield message("append_entries_result", version=1, term=9, capacity=65536)
    yield message("append_entries", **{**append, "prev_log_term": 10})
    for bad in (entry(type=0), entry(type=4), entry(term=0), entry(term=10), entry(payload=b""), entry(payload=b"no entry"),
                entry(payload=b"\1" + bytes(8) + b"\5\1\2\3"), entry(type=2, payload=b"x"), entry(type=3, payload=b""),
                entry(type=3, payload=b"no membership"), entry(type=3, payload=b"\1" + b"\xff" * 15),
                entry(payload=b"\1" + b"\xff" * 7 + b"\x7f" + b"\0")):
        yield message("append_entries", **append, entries=[bad])
    yield message("append_entries", **append, entries=[entry(type=2)] * 4097)
    yield message("introduction", term=1, holds=True)
    yield message("hello")
    yield PEERS.PeerMessage()


class Hostile(unittest.TestCase):
    def setUp(self):
        self.bank = self.enterContext(bank.Bank())
        self.name = self.bank.leader() % 3 + 1  # of the branch in whose name he speaks
        self.receivers = [branch for branch in self.bank.ids if branch != self.name]
        self.stranger = stranger.Stranger(self.bank, self)
        self.number = self.stranger.number

    def say(self, to, *messages, **hello):
        return self.stranger.say(to, *messages, **{"branch": self.name, **hello})

    def hello(self, receiver, **fields):
        return self.stranger.hello(**{"branch": self.name, "receiver": receiver, **fields})

    def expect_alive(self):
        self.assertEqual(self.bank.running(), [1, 2, 3], self.bank.logs())
        for branch in self.receivers:
            one = customer.Customer(self.bank.address(branch))
            self.addCleanup(one.close)
            before = one.query(DEADLINE_S)
            self.assertIsNotNone(before, self.bank.logs())
            self.assertIsNotNone(one.deposit(5, DEADLINE_S), self.bank.logs())
            self.assertEqual(one.query(DEADLINE_S), before + 5)

    def elect_another(self):
        """What was said in its name has cut the third one off; it comes back as a new process."""
        leader = self.bank.leader()
        self.bank.kill(self.name)
        self.bank.kill(leader)
        self.bank.start([leader, self.name])
        self.expect_alive()

    def test_no_message_ends_a_branch_or_an_election(self):
        for receiver in self.receivers:
            for bad in bad_messages(self.name):
                code, told = self.say(receiver, bad)
                self.assertIn(code, (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OK), f"{bad}: {told}")
            self.expect_alive()
        self.assertLess(max(row["term"] for row in self.bank.statuses().values()), 2**20)
        self.elect_another()

    def test_snapshots_and_forwarded_requests_that_are_none(self):
        for receiver in self.receivers:
            stub = self.stranger.stub(receiver)
            self.say(receiver)
            connection = self.stranger.next_connection
            head = dict(version=1, term=1, last_index=10**6, last_term=1, configuration_index=1, configuration=b"x", size_bytes=1, crc32c=0)
            for change in (dict(term=MAX), dict(last_index=MAX), dict(last_term=MAX), dict(configuration_index=MAX), dict(size_bytes=MAX),
                           dict(size_bytes=2**40), dict(configuration=b""), dict(version=256), dict(term=0), dict(last_index=0), dict()):
                hello = self.hello(receiver, connection=connection)
                piece = PEERS.SnapshotPiece(head=PEERS.SnapshotHead(**{**head, **change}, hello=hello), bytes=b"x")
                with self.assertRaises(grpc.RpcError) as refused:
                    stub.InstallSnapshot(iter([piece]), timeout=DEADLINE_S)
                self.assertIn(refused.exception.code(), (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.ABORTED), str(change))
            good = dict(id=1, batch=b"", count=0, read_index=True, timeout_ms=1000)
            for change in (dict(count=MAX), dict(count=1), dict(batch=b"x"), dict(batch=b"x", count=2), dict(read_index=False),
                           dict(timeout_ms=0), dict(timeout_ms=-1), dict(timeout_ms=2**63 - 1)):
                request = PEERS.ForwardRequest(**{**good, **change}, hello=self.hello(receiver))
                with self.assertRaises(grpc.RpcError) as refused:
                    list(stub.Forward(iter([request]), timeout=DEADLINE_S))
                self.assertEqual(refused.exception.code(), grpc.StatusCode.INVALID_ARGUMENT, str(change))
            # A batch that is no batch is not refused by the stream, but by whoever would order it.
            request = PEERS.ForwardRequest(**{**good, "batch": b"\2garbage!", "count": 1, "read_index": False}, hello=self.hello(receiver))
            over = threading.Event()  # answers are dropped when the asker says no more
            answer = next(stub.Forward(self.held_open(request, over), timeout=DEADLINE_S))
            over.set()
            self.assertEqual(answer.fate, PEERS.ForwardReply.NOT_APPLIED)
            self.expect_alive()

    @staticmethod
    def held_open(request, over):
        yield request
        over.wait(DEADLINE_S)

    def test_bytes_that_are_no_message(self):
        noises = (b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", b"", b"\x08\x01")
        for receiver in self.receivers:
            channel = grpc.insecure_channel(self.bank.address(receiver))
            self.addCleanup(channel.close)
            for noise in noises:
                calls = [channel.stream_stream(f"/bank.v1.Cluster/{method}")(iter([noise]), timeout=DEADLINE_S)
                         for method in ("Messages", "Forward")]
                calls.append(channel.stream_unary("/bank.v1.Cluster/InstallSnapshot").future(iter([noise]), timeout=DEADLINE_S))
                for call in calls:  # the stream ends, in one way or another, and not by its deadline
                    self.assertNotEqual(call.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        self.expect_alive()

    def test_a_refusal_tells_nothing_and_changes_nothing(self):
        for receiver in (1, 2, 3):
            others = [branch for branch in (1, 2, 3) if branch != receiver]
            told = set()
            for fields in (dict(bank=self.number ^ 1), dict(bank=0), dict(bank=MAX), dict(receiver=others[0]), dict(receiver=0),
                           dict(branch=0), dict(branch=receiver), dict(branch=77), dict(branch=2**32 - 1)):
                for right in others:
                    code, text = self.say(receiver, **{"branch": right, **fields})
                    self.assertEqual(code, grpc.StatusCode.PERMISSION_DENIED, text)
                    told.add(text)
            self.assertEqual(len(told), 1, told)
            for secret in (f"{self.number:x}", str(self.number), str(self.bank.port(receiver))):
                self.assertNotIn(secret, next(iter(told)))
            for connection in (0, MAX, 5 << 32, (5 << 32) + 2**31 + 1):
                code, text = self.say(receiver, branch=others[0], connection=connection)
                self.assertEqual(code, grpc.StatusCode.INVALID_ARGUMENT, text)
        # No honest branch was cut off by any of this: each is needed once.
        for branch in (1, 2, 3):
            self.bank.kill(branch)
            for other in (1, 2, 3):
                if other == branch:
                    continue
                one = customer.Customer(self.bank.address(other))
                self.addCleanup(one.close)
                self.assertIsNotNone(one.deposit(1, DEADLINE_S), self.bank.logs())
            self.bank.start([branch])


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/python3
"""A hostile customer beside honest ones, on a real bank of three branches.

Goal: whatever a stranger names, claims or opens, plain deposits all count, and an honest customer's
key is answered with its first outcome for as long as its session is not idle for too long.
Method: the stranger speaks the bank's own wire from this file: keys of small ids and of the branches'
own range, `answered_below` = 2^64-1, and more sessions than the bank holds, over one connection and
over twenty.
"""
import collections
import contextlib
import unittest

import grpc

import bank
import grpc_stubs

pb, stubs = grpc_stubs.load("customer", (bank.ROOT / "proto/bank/v1/customer.proto").read_text())
WAIT_S = 60 * bank.PATIENCE
MAX = 2**64 - 1
SESSIONS_MAX = 10_000  # ledger::Limits
OPENED_EACH = 1_000  # rpc::Openings
IN_FLIGHT = 64
# Small ids, which sessions once had, and ids of the branches' own.
STRANGE_IDS = [*range(1, 25), 0xFFFF << 48, (0xFFFF << 48) + 1, MAX - 1, MAX]


def connect(address):
    """A connection of its own."""
    channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)])
    return channel, stubs.CustomerStub(channel)


def deposit(session=0, sequence=0, answered_below=0, money=1):
    return pb.Request(request="deposit", money=money, session=session, sequence=sequence, answered_below=answered_below)


class HostileClient(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.bank = stack.enter_context(bank.Bank())
        self.channels = []
        self.stubs = [self.open_connection(branch) for branch in self.bank.ids]

    def tearDown(self):
        for channel in self.channels:
            channel.close()

    def open_connection(self, branch):
        channel, stub = connect(self.bank.address(branch))
        self.channels.append(channel)
        return stub

    def deliver(self, stub, request):
        return stub.MsgDelivery(request, timeout=WAIT_S)

    def query(self):
        return self.deliver(self.stubs[0], pb.Request(request="query")).money

    def check_plain_deposits(self, count):
        """`count` deposits of 1 through each branch must all count."""
        before = self.query()
        for stub in self.stubs:
            for _ in range(count):
                reply = self.deliver(stub, deposit())
                self.assertEqual((reply.code, reply.replayed), (pb.OK, False), reply)
        self.assertEqual(self.query(), before + count * len(self.stubs))

    def test_keys_of_others_cannot_be_used(self):
        self.check_plain_deposits(1)  # the branches have sessions of their own now
        calls = []
        for i, session in enumerate(STRANGE_IDS):
            stub = self.stubs[i % len(self.stubs)]
            for sequence in range(2, 201):
                calls.append(stub.MsgDelivery.future(deposit(session, sequence), timeout=WAIT_S))
                if len(calls) >= IN_FLIGHT:
                    self.assertEqual(calls.pop(0).result().code, pb.UNKNOWN_SESSION)
            lookup = stub.Lookup(pb.LookupRequest(session=session, sequence=2), timeout=WAIT_S)
            self.assertEqual(lookup.code, pb.UNKNOWN_SESSION)
            batch = pb.Batch(kind=[pb.Batch.DEPOSIT] * 2, money=[1, 1], session=session, first_sequence=2)
            for reply in stub.Stream(iter([batch]), timeout=WAIT_S):
                self.assertEqual((reply.fate, list(reply.code)), (pb.BatchReply.APPLIED, [pb.UNKNOWN_SESSION] * 2))
        for call in calls:
            self.assertEqual(call.result().code, pb.UNKNOWN_SESSION)
        self.check_plain_deposits(100)

    def test_answers_that_were_never_given_cannot_be_called_seen(self):
        self.check_plain_deposits(1)
        own = self.stubs[0].OpenSession(pb.OpenSessionRequest(), timeout=WAIT_S).session
        self.assertEqual(self.deliver(self.stubs[0], deposit(own, 1)).code, pb.OK)
        for stub in self.stubs:
            for session in STRANGE_IDS:
                reply = self.deliver(stub, deposit(session, 1, MAX))
                self.assertIn(reply.code, (pb.UNKNOWN_SESSION, pb.BAD_REQUEST))
            self.assertEqual(self.deliver(stub, deposit(own, 2, MAX)).code, pb.BAD_REQUEST)
            self.assertEqual(self.deliver(stub, deposit(own, 2, 3)).code, pb.BAD_REQUEST)
        self.assertTrue(self.deliver(self.stubs[1], deposit(own, 1)).replayed, "it is still remembered")
        self.check_plain_deposits(20)

    def open_sessions(self, count, connections):
        """What became of `count` openings over so many connections to branch 1."""
        strangers = [self.open_connection(1) for _ in range(connections)]
        fates = collections.Counter()
        sessions = []
        calls = collections.deque()

        def take():
            call = calls.popleft()
            fates[call.code()] += 1
            if call.code() == grpc.StatusCode.OK:
                sessions.append(call.result().session)
            else:
                self.assertIn("1000 sessions an hour", call.details())

        for i in range(count):
            calls.append(strangers[i % connections].OpenSession.future(pb.OpenSessionRequest(), timeout=WAIT_S))
            if len(calls) >= IN_FLIGHT:
                take()
        while calls:
            take()
        return fates, sessions

    def test_a_flood_of_sessions_ends_nobody_elses(self):
        honest = self.stubs[1]
        session = honest.OpenSession(pb.OpenSessionRequest(), timeout=WAIT_S).session
        self.assertGreater(session, 2**48, "nobody can guess it")
        first = [self.deliver(honest, deposit(session, sequence)) for sequence in range(1, 6)]

        # One connection: a thousand, then refusals that are certain.
        fates, own = self.open_sessions(SESSIONS_MAX + 100, 1)
        self.assertEqual(fates, {grpc.StatusCode.OK: OPENED_EACH, grpc.StatusCode.FAILED_PRECONDITION: SESSIONS_MAX + 100 - OPENED_EACH})
        self.assertEqual(len(set(own)), OPENED_EACH)
        # Twenty connections: all are opened, and push out one another.
        fates, _ = self.open_sessions(SESSIONS_MAX + 100, 20)
        self.assertEqual(fates, {grpc.StatusCode.OK: SESSIONS_MAX + 100})
        self.assertEqual(self.bank.status(1)["sessions"], SESSIONS_MAX)

        for sequence, told in enumerate(first, start=1):
            for stub in self.stubs:
                again = self.deliver(stub, deposit(session, sequence))
                self.assertTrue(again.replayed)
                self.assertEqual((again.code, again.money, again.position), (told.code, told.money, told.position))
        self.check_plain_deposits(20)


if __name__ == "__main__":
    unittest.main()

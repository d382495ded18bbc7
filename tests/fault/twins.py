"""Two customers that share every key: each write goes out twice at once, through two branches, until one is answered.

Written against proto/bank/v1/customer.proto alone, not with the customers' library, and judged here as well as by the
checker: nobody else uses the account, so every answer must be what the one before it makes it, both answers to a key
must be the same, and so must every later answer to it.
"""
import random
import threading
import time

import grpc

import bank
import grpc_stubs

OPENING_BALANCE = 1000
WINDOW_KEPT = 64  # keys that are asked for again at times; all older ones are given up
CALL_SECONDS = [0.05, 0.3, 2]
RECONNECT = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0), ("grpc.initial_reconnect_backoff_ms", 100),
             ("grpc.min_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]


def result_name(code, messages):
    return {messages.OK: "ok", messages.INSUFFICIENT_FUNDS: "insufficient_funds", messages.ACCOUNT_EXISTS: "account_exists"}[code]


class Twins:
    def __init__(self, addresses, account, process, seed):
        self.messages, stubs = grpc_stubs.load("customer", (bank.ROOT / "proto/bank/v1/customer.proto").read_text())
        self.rng = random.Random(seed)
        self.account, self.process = account, process
        # Each twin has connections of its own to every branch.
        self.channels = [{i: grpc.insecure_channel(address, options=RECONNECT) for i, address in addresses.items()} for _ in range(2)]
        self.stubs = [{i: stubs.CustomerStub(channel) for i, channel in channels.items()} for channels in self.channels]
        self.branches = list(addresses)
        self.session, self.sequence = 0, 0
        self.balance = None
        self.answers = {}  # by sequence: what was asked and the first answer to it
        self.events = []   # as docs/HISTORY.md
        self.problem = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            self.open_session()
            self.write("open", OPENING_BALANCE)
            while not self.stopping.is_set():
                self.write(self.rng.choice(["deposit", "withdraw"]), self.rng.choice([1, 10, 600]))
                if self.rng.random() < 0.2:
                    self.ask_again(self.rng.choice(list(self.answers)))
            for sequence in self.answers:
                self.look_up(sequence)
        except Exception as error:  # told by finish()
            self.problem = error

    def stop(self):
        """Lets it end by itself: it settles what it has begun, if the bank answers."""
        self.stopping.set()

    def finish(self, seconds):
        """The bank must be healthy. Raises what was wrong."""
        self.stop()
        self.thread.join(timeout=seconds)
        assert not self.thread.is_alive(), f"{self.account}: a write was not answered in {seconds} s"
        for channels in self.channels:
            for channel in channels.values():
                channel.close()
        if self.problem:
            raise self.problem
        assert len(self.events) > 2, f"{self.account}: nothing was answered"

    def until_answered(self, call):
        """Repeats call(stub, seconds) through other branches until a reply comes."""
        while True:
            stub = self.stubs[self.rng.randrange(2)][self.rng.choice(self.branches)]
            try:
                return call(stub, 2)
            except grpc.RpcError:
                time.sleep(0.02)  # nothing announces that an election is over

    def open_session(self):
        self.session = self.until_answered(lambda stub, seconds: stub.OpenSession(self.messages.OpenSessionRequest(), timeout=seconds)).session

    def request(self, sequence, operation, amount):
        return self.messages.Request(request=operation, money=amount, account=self.account, session=self.session, sequence=sequence,
                                     answered_below=max(1, self.sequence - WINDOW_KEPT))

    def write(self, operation, amount):
        self.sequence += 1
        self.answers.pop(self.sequence - WINDOW_KEPT - 1, None)
        request = self.request(self.sequence, operation, amount)
        asked = {"process": self.process, "id": self.sequence, "session": self.session, "sequence": self.sequence,
                 "op": operation, "account": self.account, "amount": amount}
        self.events.append({"type": "invoke", **asked, "branch": 0, "ns": time.monotonic_ns()})
        reply = None
        while reply is None:
            branches = [self.rng.choice(self.branches) for _ in self.stubs]
            seconds = self.rng.choice(CALL_SECONDS)
            calls = [stubs[branch].MsgDelivery.future(request, timeout=seconds) for stubs, branch in zip(self.stubs, branches)]
            for call in calls:
                try:
                    one = call.result()
                except grpc.RpcError:
                    time.sleep(0.02)
                    continue
                assert reply is None or self.same(one, reply), f"two answers to {asked}: {reply} and {one}"
                reply = one
        self.check_balance(operation, amount, reply)
        self.answers[self.sequence] = (operation, amount, reply)
        self.events.append({"type": "ok", **asked, "result": result_name(reply.code, self.messages), "balance": reply.money,
                            "index": reply.position, "branch": reply.branch, "ns": time.monotonic_ns()})

    def check_balance(self, operation, amount, reply):
        code, expected = self.messages.OK, self.balance
        if operation == "open":
            expected = amount
        elif operation == "deposit":
            expected += amount
        elif expected < amount:
            code = self.messages.INSUFFICIENT_FUNDS
        else:
            expected -= amount
        assert (reply.code, reply.money) == (code, expected), f"{operation} {amount} of {self.balance} was answered {reply}"
        self.balance = expected

    @staticmethod
    def same(one, other):
        return (one.code, one.money, one.position) == (other.code, other.money, other.position)

    def check_again(self, sequence, reply):
        operation, amount, first = self.answers[sequence]
        assert self.same(reply, first), f"{operation} {amount}, key {self.session}/{sequence}, was answered {first} and then {reply}"

    def ask_again(self, sequence):
        operation, amount, _ = self.answers[sequence]
        request = self.request(sequence, operation, amount)
        self.check_again(sequence, self.until_answered(lambda stub, seconds: stub.MsgDelivery(request, timeout=seconds)))

    def look_up(self, sequence):
        request = self.messages.LookupRequest(session=self.session, sequence=sequence)
        self.check_again(sequence, self.until_answered(lambda stub, seconds: stub.Lookup(request, timeout=seconds)))

"""Whoever reaches the branches' port, and speaks there as one of them."""
import pathlib

import bank
import grpc
import grpc_stubs

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS, STUBS = grpc_stubs.load("cluster", (ROOT / "proto/bank/v1/cluster.proto").read_text())
DEADLINE_S = 10 * bank.PATIENCE


def message(kind, **fields):
    return PEERS.PeerMessage(**{kind: getattr(PEERS, "".join(part.title() for part in kind.split("_")))(**fields)})


class Stranger:
    def __init__(self, of_bank, case):
        self.bank = of_bank
        self.case = case  # closes the connections at its end
        # He could read it from a folder.
        self.number = int.from_bytes((of_bank.data(1) / "identity").read_bytes()[8:16], "little")
        self.next_connection = (0x5eed << 32) + 1

    def stub(self, branch):
        channel = grpc.insecure_channel(self.bank.address(branch), options=[("grpc.use_local_subchannel_pool", 1)])
        self.case.addCleanup(channel.close)
        return STUBS.ClusterStub(channel)

    def hello(self, **fields):
        # Another process each time: the living branch follows every stream with one of its own, and who was followed is
        # not heard again.
        self.next_connection += 1 << 32
        return PEERS.Hello(**{**dict(bank=self.number, connection=self.next_connection, protocol=1), **fields})

    def say(self, to, *messages, **hello):
        """On a stream of its own; returns the status code and text it ends with. Says it again if the branch itself has cut in."""
        while True:
            first = PEERS.PeerMessage(hello=self.hello(**{"receiver": to, **hello}))
            try:
                for _ in self.stub(to).Messages(iter([first, *messages]), timeout=DEADLINE_S):
                    pass
                return grpc.StatusCode.OK, ""
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.ABORTED:
                    return error.code(), error.details()

"""One customer of the shared account over the exercise's own client, with connections of its own."""
import functools

import grpc
import report_client


@functools.cache
def client():
    return report_client.load()


def balance_of(question):
    """The balance that a question was answered with; None if it was not."""
    try:
        reply = question.result()
    except grpc.RpcError:
        return None
    return reply.money if reply.success else None


class Customer:
    def __init__(self, address):
        # A pool of its own: customers of one process do not share a connection.
        self.channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)])
        self.messages, stubs = client()
        self.stub = stubs.RPCServicerStub(self.channel)

    def close(self):
        self.channel.close()

    def begin_query(self, seconds):
        return self.stub.MsgDelivery.future(self.messages.request_service(request="query"), timeout=seconds)

    def query(self, seconds):
        return balance_of(self.begin_query(seconds))

    def deposit(self, money, seconds):
        """The balance after it, or None if its fate is not known."""
        request = self.messages.request_service(request="deposit", money=money)
        return balance_of(self.stub.MsgDelivery.future(request, timeout=seconds))

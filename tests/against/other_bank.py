"""One branch with a service of its own words (other.proto). Usage: other_bank.py ADDRESS BALANCE"""
import sys
import threading
from concurrent import futures

import grpc
import other_pb2
import other_pb2_grpc


class Bank(other_pb2_grpc.BankServicer):
    def __init__(self, balance):
        self.balance = balance
        self.lock = threading.Lock()

    def Look(self, request, context):
        return other_pb2.Answer(status="DONE", parts=[other_pb2.Part(balance=-1), other_pb2.Part(balance=self.balance)])

    def Change(self, request, context):
        if request.origin != "customer":
            return other_pb2.Answer(status="DENIED")
        with self.lock:
            balance = self.balance + (request.amount if request.operation == other_pb2.PUT_IN else -request.amount)
            if balance < 0:
                return other_pb2.Answer(status="TOO LITTLE")
            self.balance = balance
        return other_pb2.Answer(status="DONE")


server = grpc.server(futures.ThreadPoolExecutor(4))
other_pb2_grpc.add_BankServicer_to_server(Bank(int(sys.argv[2])), server)
server.add_insecure_port(sys.argv[1])
server.start()
server.wait_for_termination()

#!/usr/bin/python3
"""A bank as students write it, with a switch for each fault they make: what `run_all.sh --against` has to judge.

Usage: racy_bank.py serve INPUT --peers 1=localhost:PORT,2=... [--only ID] [--fault FAULT]
       racy_bank.py ask INPUT OUTPUT --peers ... [--project 2]

The faults are races, and here they are lost each time: two requests meet at a barrier inside the window. So a
run with a fault needs two writes under way at once, and all branches in one process.
  none           one branch (the first) decides, under a lock; whatever is asked elsewhere is asked there
  lost_update    each branch reads its balance, computes, and sends the others the result, not the difference
  check_then_act a withdrawal is checked before the lock is taken, and taken off after
  deadlock       one worker per branch, which waits for the other branch's one worker
  refused_too    project 2: a refused withdrawal is propagated like any other
"""
import argparse
import collections
import json
import os
import threading
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FAULTS = ("none", "lost_update", "check_then_act", "deadlock", "refused_too")
DELIVER, EVENTS = "/RPCServicer/MsgDelivery", "/RPCServicer/Events"
SECONDS = 600  # of a call: none ends by its deadline before whoever runs this loses his patience


def messages():
    """The course's four lines, with what branches tell each other in further fields."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="racy_bank.proto", syntax="proto3")
    for name, fields in (("request_service", [("request", field.TYPE_STRING), ("money", field.TYPE_INT64), ("event", field.TYPE_INT64),
                                              ("clock", field.TYPE_INT64), ("sender", field.TYPE_INT64)]),
                         ("success", [("success", field.TYPE_BOOL), ("money", field.TYPE_INT32)])):
        message = file.message_type.add(name=name)
        for number, (key, kind) in enumerate(fields, 1):
            message.field.add(name=key, number=number, type=kind, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    class_of = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(pool).GetPrototype
    return [class_of(pool.FindMessageTypeByName(name)) for name in ("request_service", "success")]


Request, Reply = messages()


def say(text):
    """One line, whole beside those of other threads."""
    os.write(1, f"{text}\n".encode())


class Stub:
    def __init__(self, address):
        channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        self._deliver = channel.unary_unary(DELIVER, request_serializer=Request.SerializeToString, response_deserializer=Reply.FromString)
        self._events = channel.unary_unary(EVENTS)

    def deliver(self, **fields):
        return self._deliver(Request(**fields), timeout=SECONDS, wait_for_ready=True)

    def events(self):
        return json.loads(self._events(b"", timeout=SECONDS, wait_for_ready=True))


class Events:
    """Lamport's clock of one process, and what happened in it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.clock = 0
        self.all = []

    def add(self, event, interface, comment, received=0):
        with self.lock:
            self.clock = max(self.clock, received) + 1
            self.all.append({"customer-request-id": event, "logical_clock": self.clock, "interface": interface, "comment": comment})
            return self.clock


class Branch:
    def __init__(self, number, balance, addresses, fault, meeting):
        self.id, self.balance, self.fault, self.meeting = number, balance, fault, meeting
        self.peers = {peer: Stub(address) for peer, address in addresses.items() if peer != number}
        self.first = min(addresses)
        self.lock = threading.Lock()
        self.events = Events()

    def handle(self, request):
        if request.request == "query":
            return self.query()
        if request.request in ("deposit", "withdraw"):
            return self.customer(request)
        return self.peer(request)

    def query(self):
        if self.fault == "none" and self.id != self.first:
            return self.peers[self.first].deliver(request="query")
        with self.lock:
            return Reply(success=True, money=self.balance)

    def customer(self, request):
        self.events.add(request.event, request.request, f"event_recv from customer {request.sender}", request.clock)
        reply = self.write(request)
        if reply.success and self.fault != "lost_update" or self.fault == "refused_too":
            self.propagate(request)
        return reply

    def write(self, request):
        if self.fault in ("none", "refused_too") and self.id != self.first:
            return self.peers[self.first].deliver(request=f"decide_{request.request}", money=request.money)
        change = request.money if request.request == "deposit" else -request.money
        if self.fault == "lost_update":
            balance = self.balance + change
            self.meeting.wait()
            for peer in self.peers.values():
                peer.deliver(request="set", money=balance)
            with self.lock:
                self.balance = balance
            return Reply(success=True, money=balance)
        if self.fault == "check_then_act":
            if self.balance + change < 0:
                return Reply(success=False, money=self.balance)
            self.meeting.wait()
        if self.fault == "deadlock":
            say(f"branch {self.id} keeps its one worker")
            self.meeting.wait()
        return self.add(change)

    def add(self, change):
        with self.lock:
            # Whoever checked before does not check again: that is the fault.
            if self.balance + change < 0 and self.fault != "check_then_act":
                return Reply(success=False, money=self.balance)
            self.balance += change
            return Reply(success=True, money=self.balance)

    def propagate(self, request):
        for number, peer in self.peers.items():
            clock = self.events.add(request.event, f"propogate_{request.request}", f"event_sent to branch {number}")
            peer.deliver(request=f"propogate_{request.request}", money=request.money, event=request.event, clock=clock, sender=self.id)

    def peer(self, request):
        kind, _, interface = request.request.partition("_")
        change = request.money if interface == "deposit" else -request.money
        if kind == "decide":
            return self.add(change)
        if kind == "set":
            with self.lock:
                self.balance = request.money
            return Reply(success=True, money=request.money)
        self.events.add(request.event, request.request, f"event_recv from branch {request.sender}", request.clock)
        if self.fault in ("none", "refused_too") and self.id == self.first:
            return Reply(success=True, money=self.balance)  # this one decided it
        with self.lock:
            self.balance += change
            return Reply(success=True, money=self.balance)


class Handlers(grpc.GenericRpcHandler):
    def __init__(self, branch):
        self.all = {
            DELIVER: grpc.unary_unary_rpc_method_handler(lambda request, _: branch.handle(request), Request.FromString, Reply.SerializeToString),
            EVENTS: grpc.unary_unary_rpc_method_handler(lambda *_: json.dumps(branch.events.all).encode()),
        }

    def service(self, details):
        return self.all.get(details.method)


def serve(options, entries):
    balances = {entry["id"]: entry["balance"] for entry in entries if entry["type"] == "branch"}
    meeting = threading.Barrier(2)
    servers = []
    for number in [options.only] if options.only else balances:
        branch = Branch(number, balances[number], options.peers, options.fault, meeting)
        server = grpc.server(futures.ThreadPoolExecutor(1 if options.fault == "deadlock" else 10), options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((Handlers(branch),))
        server.add_insecure_port(options.peers[number])
        server.start()
        servers.append(server)
        say(f"branch {number} listens")
    for server in servers:
        server.wait_for_termination()


def ask(options, entries):
    customers = [entry for entry in entries if entry["type"] == "customer"]
    stubs = {number: Stub(address) for number, address in options.peers.items()}
    with futures.ThreadPoolExecutor(len(customers)) as threads:
        ask_all = ask_clocks if options.project == 2 else ask_balances
        answers = list(threads.map(lambda customer: ask_all(customer, stubs[customer["id"]]), customers))
    if options.project == 2:
        answers = three_parts(answers, [(number, stubs[number].events()) for number in sorted(stubs)])
    with open(options.output, "w", encoding="utf-8") as file:
        json.dump(answers, file)
    say("the answers are written")


def ask_balances(customer, stub):
    received = []
    for event in customer["events"]:
        reply = stub.deliver(request=event["interface"], money=event.get("money", 0), sender=customer["id"])
        told = {"balance": reply.money} if event["interface"] == "query" else {"result": "success" if reply.success else "fail"}
        received.append({"interface": event["interface"], **told})
    return {"id": customer["id"], "recv": received}


def ask_clocks(customer, stub):
    events = Events()
    for request in customer["customer-requests"]:
        event = request["customer-request-id"]
        clock = events.add(event, request["interface"], f"event_sent from customer {customer['id']}")
        stub.deliver(request=request["interface"], money=request["money"], event=event, clock=clock, sender=customer["id"])
    return customer["id"], events.all


def three_parts(customers, branches):
    lists = [{"id": number, "type": kind, "events": events} for kind, all_of in (("customer", customers), ("branch", branches)) for number, events in all_of]
    requests = collections.defaultdict(list)
    for one in lists:
        for event in one["events"]:
            requests[event["customer-request-id"]].append({"id": one["id"], "type": one["type"], **event})
    return lists + [event for group in requests.values() for event in sorted(group, key=lambda event: event["logical_clock"])]


def addresses(text):
    return {int(number): address for number, _, address in (one.partition("=") for one in text.split(","))}


def main():
    parser = argparse.ArgumentParser()
    modes = parser.add_subparsers(dest="mode", required=True)
    for mode in (modes.add_parser("serve"), modes.add_parser("ask")):
        mode.add_argument("input")
        mode.add_argument("--peers", type=addresses, required=True)
    modes.choices["serve"].add_argument("--only", type=int)
    modes.choices["serve"].add_argument("--fault", choices=FAULTS, default="none")
    modes.choices["ask"].add_argument("output")
    modes.choices["ask"].add_argument("--project", type=int, default=1)
    options = parser.parse_args()
    with open(options.input, encoding="utf-8") as file:
        entries = json.load(file)
    {"serve": serve, "ask": ask}[options.mode](options, entries)


if __name__ == "__main__":
    main()

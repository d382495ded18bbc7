#!/usr/bin/python3
"""Speaks to a real branch as a foreign client does.

Goal: the exercise's own clients work unchanged; bad calls get clear answers and the branch lives
on; health, reflection and channelz are there; a branch stops within two seconds and a kill loses
no acknowledged money.
Method: the client is generated from the exercise's own proto file (exercise.proto, next to this
file); each test starts `branch` on a free port with a data folder of its own.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.normpath(os.path.join(HERE, "..", ".."))
BIN = os.environ.get("BANK_BIN", os.path.join(SOURCE, "build", "release", "bin"))
PATIENCE = int(os.environ.get("BANK_PATIENCE", 1))  # more than 1 for sanitized programs
DEADLINE_S = 10 * PATIENCE


class Wire:
    """Messages of a .proto file, without generated modules."""

    def __init__(self, include, *files):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "set")
            arguments = ["protoc", "-I" + include, "--include_imports", "--descriptor_set_out=" + path]
            assert protoc.main(arguments + list(files)) == 0
            with open(path, "rb") as file:
                self.set = descriptor_pb2.FileDescriptorSet.FromString(file.read())
        self.pool = descriptor_pool.DescriptorPool()
        for file in self.set.file:
            self.pool.Add(file)
        self.factory = message_factory.MessageFactory(self.pool)

    def message(self, name):
        return self.factory.GetPrototype(self.pool.FindMessageTypeByName(name))

    def unary(self, channel, method, request, reply):
        return channel.unary_unary(
            method,
            request_serializer=self.message(request).SerializeToString,
            response_deserializer=self.message(reply).FromString,
        )


def readme_wire():
    """The client that README prints."""
    with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as file:
        block = file.read().split("```proto\n")[1].split("```")[0]
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "readme.proto"), "w", encoding="utf-8") as file:
            file.write(block)
        return Wire(folder, "readme.proto")


EXERCISE = Wire(HERE, "exercise.proto")
README = readme_wire()
HEALTH = Wire(os.path.join(SOURCE, "proto"), "grpc/health/v1/health.proto")
BANK = Wire(os.path.join(SOURCE, "proto"), "bank/v1/customer.proto")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Branch:
    def __init__(self, data, port=None, balance=400):
        self.port = port or free_port()
        self.address = "localhost:%d" % self.port
        self.log = open(os.path.join(data, "branch.log"), "a+")
        self.process = subprocess.Popen(
            [os.path.join(BIN, "branch"), "--id", "1", "--listen", self.address,
             "--peers", "1=" + self.address, "--data", os.path.join(data, "1"),
             "--initial-balance", str(balance)],
            stdout=subprocess.DEVNULL, stderr=self.log)
        self.channel = grpc.insecure_channel(
            self.address, options=[("grpc.use_local_subchannel_pool", 1)])
        self.deliver = EXERCISE.unary(self.channel, "/RPCServicer/MsgDelivery", "request_service", "success")

    def watch_health(self, service):
        request = HEALTH.message("grpc.health.v1.HealthCheckRequest")
        reply = HEALTH.message("grpc.health.v1.HealthCheckResponse")
        call = self.channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=request.SerializeToString, response_deserializer=reply.FromString)
        return call(request(service=service), timeout=DEADLINE_S, wait_for_ready=True)

    def await_serving(self):
        for state in self.watch_health("RPCServicer"):
            if state.status == 1:
                return self
        raise AssertionError("the branch never served")

    def ask(self, interface, money=0):
        request = EXERCISE.message("request_service")(request=interface, money=money)
        return self.deliver(request, timeout=DEADLINE_S)

    def end(self):
        """The branch must have ended cleanly, or by the test's own SIGKILL."""
        self.channel.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "none within %d s" % DEADLINE_S
        self.log.seek(0)
        said = self.log.read()
        self.log.close()
        assert code in (0, -signal.SIGKILL), "the branch ended with %s:\n%s" % (code, said)


class WireTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def start(self, **options):
        branch = Branch(self.folder.name, **options)
        self.addCleanup(branch.end)
        return branch.await_serving()

    def test_exercise(self):
        branch = self.start()
        self.assertEqual((True, 400), (lambda r: (r.success, r.money))(branch.ask("query")))
        self.assertTrue(branch.ask("deposit", 170).success)
        self.assertEqual(570, branch.ask("query").money)
        self.assertTrue(branch.ask("withdraw", 70).success)
        self.assertEqual(500, branch.ask("query").money)
        self.assertFalse(branch.ask("withdraw", 501).success)
        self.assertEqual(500, branch.ask("query").money)

    def test_a_balance_that_an_int32_cannot_hold_never_looks_like_money(self):
        most = 2**31 - 1
        branch = self.start(balance=most)
        readme = README.unary(branch.channel, "/bank.v1.Customer/MsgDelivery", "bank.v1.Request", "bank.v1.Reply")

        def ask(interface, money=0):
            reply = readme(README.message("bank.v1.Request")(request=interface, money=money), timeout=DEADLINE_S)
            return reply.success, reply.money

        self.assertEqual(most, branch.ask("query").money)  # the largest that fits
        # The first of these sums is negative as an int32, the second one 5: plausible, and wrong.
        for step, balance in ((1, most + 1), (2**31 + 5, 2**32 + 5)):
            said = branch.ask("deposit", step)
            self.assertEqual((True, 0), (said.success, said.money))
            self.assertEqual((True, balance), ask("query"))
            with self.assertRaises(grpc.RpcError) as refused:
                branch.ask("query")
            self.assertEqual(grpc.StatusCode.OUT_OF_RANGE, refused.exception.code())
            self.assertIn("bank.v1.Customer", refused.exception.details())
            # What is refused changes nothing, and does not tell the balance either.
            said = branch.ask("withdraw", balance + 1)
            self.assertEqual((False, 0), (said.success, said.money))
            self.assertEqual((False, balance), ask("withdraw", balance + 1))
        self.assertEqual((True, most + 1), ask("withdraw", 2**31 + 5))
        said = branch.ask("withdraw", 1)
        self.assertEqual((True, most), (said.success, said.money))
        self.assertEqual(most, branch.ask("query").money)

    def test_no_double_spending(self):
        branch = self.start(balance=50)
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: branch.ask("withdraw", 1).success, range(100)))
        self.assertEqual(50, sum(answers))
        self.assertEqual(0, branch.ask("query").money)

    def test_bad_calls(self):
        branch = self.start()
        request = BANK.message("bank.v1.Request")
        deliver = BANK.unary(branch.channel, "/bank.v1.Customer/MsgDelivery", "bank.v1.Request", "bank.v1.Reply")
        most = 2**63 - 1
        rows = [
            (request(), "BAD_REQUEST"),
            (request(request="steal"), "BAD_REQUEST"),
            (request(request="Deposit", money=1), "BAD_REQUEST"),
            (request(request="deposit", money=-5), "BAD_AMOUNT"),
            (request(request="withdraw", money=0), "BAD_AMOUNT"),
            (request(request="deposit", money=most), "OVERFLOW_REFUSED"),
            (request(request="deposit", money=1, account="a" * 2**20), "BAD_ACCOUNT"),
            (request(request="query", account="nobody"), "UNKNOWN_ACCOUNT"),
        ]
        for bad, code in rows:
            reply = deliver(bad, timeout=DEADLINE_S)
            names = reply.DESCRIPTOR.fields_by_name["code"].enum_type.values_by_number
            self.assertEqual((False, code), (reply.success, names[reply.code].name))
            self.assertTrue(reply.message)
        with self.assertRaises(grpc.RpcError) as unknown:
            branch.channel.unary_unary("/RPCServicer/Steal")(b"", timeout=DEADLINE_S)
        self.assertEqual(grpc.StatusCode.UNIMPLEMENTED, unknown.exception.code())
        with self.assertRaises(grpc.RpcError):
            branch.channel.unary_unary("/RPCServicer/MsgDelivery")(b"\xff\xff\xff", timeout=DEADLINE_S)
        self.assertEqual(400, branch.ask("query").money)

    def test_overflow_twice(self):
        branch = self.start(balance=0)
        request = BANK.message("bank.v1.Request")
        deliver = BANK.unary(branch.channel, "/bank.v1.Customer/MsgDelivery", "bank.v1.Request", "bank.v1.Reply")
        most = 2**63 - 1
        self.assertTrue(deliver(request(request="deposit", money=most), timeout=DEADLINE_S).success)
        self.assertFalse(deliver(request(request="deposit", money=most), timeout=DEADLINE_S).success)
        self.assertEqual(most, deliver(request(request="query"), timeout=DEADLINE_S).money)

    def test_reflection_and_channelz(self):
        branch = self.start()
        # ServerReflectionRequest{list_services: "*"}: field 7, a string.
        stream = branch.channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        answer = next(iter(stream(iter([b"\x3a\x01*"]), timeout=DEADLINE_S)))
        for service in (b"RPCServicer", b"bank.v1.Customer", b"bank.v1.Admin", b"grpc.health.v1.Health"):
            self.assertIn(service, answer)
        servers = branch.channel.unary_unary("/grpc.channelz.v1.Channelz/GetServers")(b"", timeout=DEADLINE_S)
        self.assertTrue(servers)

    def test_stops_within_two_seconds(self):
        branch = self.start()
        states = branch.watch_health("")
        self.assertEqual(1, next(states).status)
        began = time.monotonic()
        branch.process.send_signal(signal.SIGTERM)
        self.assertEqual(2, next(states).status)  # NOT_SERVING
        self.assertEqual(0, branch.process.wait(timeout=DEADLINE_S))
        self.assertLess(time.monotonic() - began, 2 * PATIENCE)

    def test_a_kill_loses_no_acknowledged_money(self):
        branch = self.start()
        for _ in range(20):
            self.assertTrue(branch.ask("deposit", 5).success)
        branch.process.send_signal(signal.SIGKILL)
        branch.process.wait()
        again = self.start(port=branch.port)
        self.assertEqual(500, again.ask("query").money)

    def run_branch(self, *flags):
        done = subprocess.run([os.path.join(BIN, "branch"), *flags], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=DEADLINE_S, universal_newlines=True)
        return done.returncode, done.stderr

    def test_refusals_are_one_line(self):
        branch = self.start()
        other = os.path.join(self.folder.name, "other")
        own = os.path.join(self.folder.name, "1")
        rows = [
            (3, "port", ["--listen", branch.address, "--data", other]),
            (3, "in use", ["--listen", "localhost:%d" % free_port(), "--data", own, "--initial-balance", "400"]),
            (5, "plaintext", ["--listen", "0.0.0.0:%d" % free_port(), "--data", other]),
        ]
        for code, word, flags in rows:
            status, errors = self.run_branch("--id", "1", "--peers", "1=localhost:1", "--log-level", "off", *flags)
            self.assertEqual(code, status, errors)
            self.assertIn(word, errors)
            self.assertEqual(1, errors.count("\n"), errors)
        branch.process.send_signal(signal.SIGTERM)
        branch.process.wait()
        status, errors = self.run_branch("--id", "1", "--listen", branch.address, "--peers", "1=localhost:1",
                                         "--data", own, "--initial-balance", "401", "--log-level", "off")
        self.assertEqual(2, status, errors)
        self.assertIn("another bank", errors)
        self.assertEqual(1, errors.count("\n"), errors)

    def test_a_branch_that_cannot_say_that_it_listens_stops(self):
        """And what it would have said never goes into a file of the bank."""
        for number, closed in enumerate((False, True)):
            data = os.path.join(self.folder.name, "said-%d" % number)
            port = free_port()
            with open("/dev/full", "w") as full:
                done = subprocess.run(
                    [os.path.join(BIN, "branch"), "--id", "1", "--peers", "1=localhost:%d" % port, "--data", data,
                     "--log-level", "off"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=6 * DEADLINE_S,
                    preexec_fn=(lambda: os.close(1)) if closed else None)
            self.assertEqual(3, done.returncode, done.stderr)
            self.assertIn("standard output", done.stderr)
            for folder, _, names in os.walk(data):
                for name in names:
                    with open(os.path.join(folder, name), "rb") as file:
                        self.assertNotIn(b"listens", file.read(), name)

    def test_numbers_are_decimal(self):
        own = os.path.join(self.folder.name, "numbers")
        for flags in (["--initial-balance", "010"], ["--initial-balance", "0x10"], ["--initial-balance", "-1"],
                      ["--initial-balance", "99999999999999999999"], ["--heartbeat-ms", "0100"]):
            status, errors = self.run_branch("--id", "1", "--peers", "1=localhost:1", "--data", own, *flags)
            self.assertEqual((1, 1), (status, errors.count("\n")), errors)
            self.assertIn(flags[1], errors)
        for peers in ("01=localhost:1", "0x1=localhost:1", "1=localhost:01", "1=localhost:+1", "1=localhost:65536"):
            status, errors = self.run_branch("--id", "1", "--peers", peers, "--data", own)
            self.assertEqual((2, 1), (status, errors.count("\n")), errors)
        self.assertFalse(os.path.exists(own))

    def test_a_call_that_lacks_something_is_refused_before_it_is_made(self):
        for arguments, missing in ((["deposit"], "AMOUNT"), (["transfer", "5"], "--to"), (["lookup"], "--session")):
            done = subprocess.run([os.path.join(BIN, "customer"), "call", *arguments, "--at", "localhost:1"],
                                  capture_output=True, text=True, timeout=DEADLINE_S)
            self.assertEqual(1, done.returncode, done.stderr)
            self.assertIn(missing, done.stderr)
            self.assertEqual(1, done.stderr.count("\n"), done.stderr)

    def test_bankctl(self):
        branch = self.start()

        def bankctl(*arguments):
            done = subprocess.run([os.path.join(BIN, "bankctl"), "--at", branch.address, *arguments],
                                  stdout=subprocess.PIPE, timeout=DEADLINE_S, check=True)
            return [json.loads(line) for line in done.stdout.splitlines()]

        (status,) = bankctl("status", "-w", "json")
        self.assertEqual(("leader", 400, True), (status["role"], status["balance_total"], status["ready"]))
        (digest,) = bankctl("digests")
        self.assertEqual((1, status["state"]), (digest["branch"], digest["state"]))
        (member,) = bankctl("members", "-w", "json")
        self.assertEqual(branch.address, member["address"])
        self.assertEqual({"serving"}, {line["health"] for line in bankctl("health", "-w", "json")})


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)

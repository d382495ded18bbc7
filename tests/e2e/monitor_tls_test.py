"""Monitoring and commands of a bank under mutual TLS.

Goal: everything that works on loopback works with certificates: metrics in both directions, foreign
agents and servers, bankctl, records that name who the certificate says it is; and nothing of it
without a certificate.
Method: three branches and clients with certificates of an authority made for this test.
"""
import json
import subprocess
import ssl
import unittest
import urllib.error
import urllib.request

import grpc

import bank
import monitor_client
import monitor_server
from monitor_client import pb, wait_until

VERIFY = pb.Command(verify_digest=pb.VerifyDigest())


class Tls(unittest.TestCase):
    def setUp(self):
        self.branches = bank.Bank(tls=True, http=True)
        self.tls = self.branches.tls
        self.tls.add("alice")
        authority, key, certificate = self.tls.pem("bank")
        credentials = grpc.ssl_server_credentials([(key, certificate)], root_certificates=authority, require_client_auth=True)
        self.server = monitor_server.Server(credentials=credentials)
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)
        self.branches.flags += ["--monitor", self.server.address]
        self.branches.__enter__()
        self.addCleanup(self.branches.__exit__, None, None, None)
        self.alice = grpc.ssl_channel_credentials(*self.tls.pem("alice"))

    def bankctl(self, *words, who="alice"):
        environment = {**self.branches.environment, **(self.tls.environment(who) if who else {})}
        if who is None:
            environment = {key: value for key, value in environment.items() if not key.startswith("BANK_TLS_")}
        return subprocess.run([bank.BIN / "bankctl", *map(str, words)], env=environment, capture_output=True, text=True, timeout=90 * bank.PATIENCE)

    def audit(self, branch):
        done = self.bankctl("audit", "--at", self.branches.address(branch), "-w", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return {(row["id"], row["agent"]): row for row in map(json.loads, done.stdout.splitlines())}

    def test_everything_with_certificates_and_nothing_without(self):
        branches, names = self.branches, [f"branch-{i}" for i in self.branches.ids]
        at = branches.address(1)

        # Branches to the leader, the leader to readers; foreign agents through any branch.
        agent = monitor_client.Agent("probe", [branches.address(i) for i in branches.ids], credentials=self.alice)
        reader = monitor_client.Reader(at, credentials=self.alice, since_unix_nanos=1)
        wait_until(lambda: all(reader.last(name) > 2 for name in [*names, "probe"]), 20, f"samples of all: {agent.faults}")
        # A server of one's own.
        wait_until(lambda: all(self.server.whole(name) for name in names), 20, "metrics at the foreign server")
        wait_until(lambda: set(self.server.agents) == set(names), 20, "command streams at the foreign server")
        said = self.server.ask("branch-2", "theirs", host_diagnostic=pb.HostDiagnostic(program="uptime"))
        self.assertEqual(said[-1].result.outcome, pb.CommandResult.DONE)

        # bankctl, while the leader is killed.
        leader = branches.leader()
        asked = next(branch for branch in branches.ids if branch != leader)
        with subprocess.Popen([bank.BIN / "bankctl", "metrics", "--follow", "--metric", "bank.raft.term", "-w", "json", "--at", branches.address(leader)],
                              env={**branches.environment, **self.tls.environment("alice")}, stdout=subprocess.PIPE, text=True) as follow:
            follow.stdout.readline()
            branches.kill(leader)
            terms = set()
            while len(terms) < 2:  # the dead leader's and the next one's
                terms.add(json.loads(follow.stdout.readline()).get("value"))
            follow.terminate()
        done = self.bankctl("exec", asked, "verify-digest", "--id", "hers", "--issuer", "root", "--at", branches.address(asked))
        self.assertEqual(done.returncode, 0, done.stderr)
        branches.start([leader])
        for branch in branches.ids:
            wait_until(lambda: ("hers", f"branch-{asked}") in self.audit(branch), 20, "the record is everywhere")
            self.assertTrue(self.audit(branch)["hers", f"branch-{asked}"]["issuer"].startswith("alice (says root)"))
        for words in (["status"], ["members"], ["health"], ["events"], ["metrics"], ["exec", "all", "uptime"]):
            done = self.bankctl(*words, "--at", at)
            self.assertEqual(done.returncode, 0, f"{words}: {done.stderr}")
        reader.close()
        agent.stop()

        # Without a certificate.
        for words in (["status"], ["metrics"], ["exec", "all", "uptime"], ["audit"]):
            self.assertEqual(self.bankctl(*words, "--at", at, "--timeout", 1, who=None).returncode, 3, words)
        stranger = grpc.ssl_channel_credentials(self.tls.pem("bank")[0])
        for credentials in (None, stranger):
            with self.assertRaises(grpc.RpcError):
                list(monitor_client.stub(at, credentials).RunCommand(pb.RunCommandRequest(id="no", command=VERIFY), timeout=5))
        self.assertNotIn(("no", "branch-1"), self.audit(1))
        # Nobody but a branch speaks in a branch's name, also with a certificate.
        push = monitor_client.stub(branches.address(branches.leader()), self.alice).PushMetrics.future(
            iter([pb.MetricPush(hello=pb.Agent(agent="branch-1", branch=1, incarnation=1))]), timeout=10)
        self.assertEqual(push.exception().code(), grpc.StatusCode.PERMISSION_DENIED)

        # The console's port is loopback's own here, without TLS, and says so.
        self.assertIn(f"the console is at http://{branches.http_address(1)}/", branches.log(1).read_text())
        with urllib.request.urlopen(f"http://{branches.http_address(1)}/livez", timeout=10) as answer:
            self.assertEqual(answer.read(), b"ok")


class Https(unittest.TestCase):
    def test_the_console_beyond_loopback_asks_for_a_certificate(self):
        # This address is the machine's own, but not by the name of loopback.
        port = bank.free_base_port(1) + 1
        with bank.Bank(branches=1, tls=True, flags=["--http", f"[::ffff:127.0.0.1]:{port}"]) as branches:
            context = ssl.create_default_context(cafile=branches.tls.folder / "ca.pem")
            url = f"https://localhost:{port}"
            with self.assertRaises((urllib.error.URLError, ssl.SSLError, ConnectionError)):
                urllib.request.urlopen(f"{url}/livez", timeout=10, context=context).read()
            context.load_cert_chain(branches.tls.folder / "bank.pem", branches.tls.folder / "bank.key")
            for path, text in (("/livez", b"ok"), ("/", b"<html"), ("/metrics", b"bank_raft_term")):
                with urllib.request.urlopen(url + path, timeout=10, context=context) as answer:
                    self.assertIn(text, answer.read())


if __name__ == "__main__":
    unittest.main()

"""A real Prometheus server scrapes a bank of three branches.

Goal: its queries answer with the bank's figures, the alert for a branch that was killed fires, and
every metric that the rules and the dashboard name is one that a branch exposes.
"""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

import bank

MONITORING = bank.ROOT / "monitoring"
PROMTOOL = shutil.which("promtool")
# Prometheus' own, and what a rule or a panel may use besides metrics.
NOT_OURS = {"up"}
# Absent where the kernel does not offer it.
OPTIONAL = {"system_pressure_stall_percent"}


def metrics_named(text):
    return set(re.findall(r"\b(?:bank|system|process)_[a-z0-9_]+", text)) | (NOT_OURS & set(re.findall(r"\bup\b", text)))


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


class Prometheus:
    """A server on a free port with its own folder, ended by its id."""

    def __init__(self, targets):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="prometheus-"))
        self.port = bank.free_base_port(1) + 1
        shutil.copy(MONITORING / "alerts.yml", self.folder)
        config = (MONITORING / "prometheus.yml").read_text()
        config = re.sub(r"targets: .*", f"targets: {json.dumps(targets)}", config)
        config = re.sub(r"_interval: 5s", "_interval: 500ms", config)
        (self.folder / "prometheus.yml").write_text(config)

    def __enter__(self):
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={self.folder}/prometheus.yml",
                 f"--storage.tsdb.path={self.folder}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}"], stdout=log, stderr=log)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, path, **parameters):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        return json.loads(fetch(url))["data"]

    def values(self, query):
        return [float(row["value"][1]) for row in self.ask("query", query=query)["result"]]

    def await_values(self, query, holds, seconds=60):
        """Asks until the answer holds; its last answer is told if it never does."""
        give_up = time.monotonic() + seconds * bank.PATIENCE
        answer = None
        while time.monotonic() < give_up:
            try:
                answer = self.values(query)
                if holds(answer):
                    return answer
            except OSError as not_up_yet:
                answer = not_up_yet
            time.sleep(0.25)  # a poll of a foreign server, which offers nothing to wait on
        raise AssertionError(f"{query} stays at {answer}")


class PrometheusTest(unittest.TestCase):
    def test_rules_are_well_formed_and_fire_as_meant(self):
        for arguments in (["check", "config", MONITORING / "prometheus.yml"],
                          ["test", "rules", MONITORING / "alerts_test.yml"]):
            done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_scrapes_three_branches(self):
        with bank.Bank(branches=3, http=True) as three:
            targets = [three.http_address(branch) for branch in three.ids]
            with Prometheus(targets) as prometheus:
                prometheus.await_values("sum(up)", lambda v: v == [3])
                prometheus.await_values("sum(bank_raft_leader)", lambda v: v == [1])
                prometheus.await_values("min(bank_ready)", lambda v: v == [1])
                done = subprocess.run(
                    [bank.BIN / "customer", "load", "--at", three.addresses, "--mode", "unary",
                     "--concurrency", "8", "--operations", "3000"],
                    capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)
                writes = prometheus.await_values(
                    'sum(bank_request_seconds_count{kind="write"})', lambda v: v and v[0] > 0)
                self.assertGreater(writes[0], 0)
                slowest = prometheus.await_values(
                    "histogram_quantile(0.99, sum by (le) (bank_request_seconds_bucket))",
                    lambda v: v and v[0] > 0)
                self.assertLess(slowest[0], 10)
                # The same money everywhere, once all have applied everything.
                prometheus.await_values("max(bank_position) - min(bank_position)", lambda v: v == [0])
                self.assertEqual(
                    prometheus.values("max(bank_balance_total) - min(bank_balance_total)"), [0])
                memory = prometheus.values("max(system_memory_utilization_percent)")[0]
                self.assertTrue(0 < memory <= 100, memory)

                exposed = metrics_named("".join(fetch(f"http://{t}/metrics") for t in targets)) | NOT_OURS
                for name in ("alerts.yml", "grafana-dashboard.json"):
                    named = metrics_named((MONITORING / name).read_text())
                    self.assertEqual(named - exposed - OPTIONAL, set(), f"{name} names what nobody exposes")

                victim = three.leader()
                three.kill(victim)
                prometheus.await_values(
                    f'ALERTS{{alertname="BankBranchDown",instance="{three.http_address(victim)}",alertstate="firing"}}',
                    lambda v: v == [1])
                prometheus.await_values("sum(bank_raft_leader)", lambda v: v == [1])


if __name__ == "__main__":
    unittest.main()

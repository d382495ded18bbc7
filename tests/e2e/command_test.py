#!/usr/bin/python3
"""Commands on a real bank, asked by bankctl and by a foreign client, agent and server.

Goal: only what is on the list runs, once per id whatever breaks, within its deadline and its cap;
and all branches tell the same about who ran what, also after a restart of all.
Method: three branches whose diagnostics are scripts of the test (--diagnostic, which nothing on the
wire can set): one waits for a file and counts its runs, one prints without end, one hangs.
"""
import concurrent.futures
import json
import os
import pathlib
import pwd
import queue
import signal
import stat
import subprocess
import tempfile
import threading
import time
import unittest

import grpc

import bank
import monitor_client
import monitor_server

pb = monitor_client.pb
WAIT_S = 30 * bank.PATIENCE


def bankctl(*words, **settings):
    return subprocess.run([bank.BIN / "bankctl", *map(str, words)], capture_output=True, text=True,
                          timeout=90 * bank.PATIENCE, **settings)


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def until(condition, what):
    give_up = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError(f"never: {what}")
        time.sleep(0.05)


def run(stub, id, agents, timeout=WAIT_S, deadline_ms=10_000, **command):
    """What RunCommand gives, by agent: (output, result)."""
    request = pb.RunCommandRequest(id=id, issuer="test", agent=agents, deadline_ms=deadline_ms, command=pb.Command(**command))
    outputs, results = {}, {}
    for update in stub.RunCommand(request, timeout=timeout, wait_for_ready=True):
        if update.HasField("output"):
            outputs[update.agent] = outputs.get(update.agent, b"") + update.output.text
        if update.HasField("result"):
            assert update.agent not in results, "two results of one agent"
            results[update.agent] = update.result
    return {agent: (outputs.get(agent, b""), result) for agent, result in results.items()}


def diagnostic(program):
    return {"host_diagnostic": pb.HostDiagnostic(program=program)}


class Commands(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="command-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.gate = self.folder / "gate"
        self.runs = self.folder / "runs"
        self.runs.touch()
        waits = script(self.folder / "waits", f'echo run >> {self.runs}\necho begun\nwhile ! [ -e {self.gate} ]; do sleep 0.05; done\necho ended\n')
        endless = script(self.folder / "endless", "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done\n")
        hangs = script(self.folder / "hangs", "trap '' TERM INT HUP\nsleep 1000 &\nwait\nsleep 1000\n")
        self.flags = ["--diagnostic", f"df={waits}", "--diagnostic", f"ps={endless}", "--diagnostic", f"free={hangs}"]

    def bank(self, *flags):
        return bank.Bank(flags=[*self.flags, *flags])

    def count(self):
        return len(self.runs.read_text().splitlines())

    def audit(self, at):
        done = bankctl("audit", "--at", at, "-w", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return {(r["id"], r["agent"]): r for r in map(json.loads, done.stdout.splitlines())}

    def test_bankctl_runs_what_is_on_the_list_and_nothing_else(self):
        with self.bank() as branches:
            at = ["--at", branches.address(2)]
            done = bankctl("exec", "all", "uptime", *at)
            self.assertEqual(done.returncode, 0, done.stderr)
            for branch in branches.ids:
                self.assertRegex(done.stdout, rf"(?m)^branch-{branch}: .*load average")
            done = bankctl("exec", "all", "verify-digest", "-w", "json", *at)
            rows = [json.loads(line) for line in done.stdout.splitlines()]
            self.assertEqual({row["agent"] for row in rows}, {"branch-1", "branch-2", "branch-3"})
            self.assertEqual({row["outcome"] for row in rows}, {"done"})
            self.assertEqual(len({row["output"] for row in rows}), 1, "one digest at one index")
            done = bankctl("exec", 1, "top-accounts", 5, *at)
            self.assertIn("400 shared", done.stdout)
            for words in (["take-snapshot"], ["list-sessions"], ["set-log-level", "debug"]):
                done = bankctl("exec", 3, *words, *at)
                self.assertEqual(done.returncode, 0, f"{words}: {done.stdout} {done.stderr}")

            # The same id is the same run; another command under it is refused.
            first = bankctl("exec", 3, "uptime", "--id", "once", *at)
            again = bankctl("exec", 3, "uptime", "--id", "once", "-w", "json", *at)
            self.assertEqual(first.stdout, json.loads(again.stdout)["output"])
            self.assertTrue(json.loads(again.stdout)["repeated"])
            self.assertEqual(bankctl("exec", 3, "take-snapshot", "--id", "once", *at).returncode, 5)

            trap = self.folder / "trap"
            for words in (["uptime; touch " + str(trap)], ["$(touch " + str(trap) + ")"], ["uptime", f"; touch {trap}"],
                          ["/bin/sh"], ["set-log-level", f"`touch {trap}`"], ["top-accounts", "1 & touch " + str(trap)]):
                done = bankctl("exec", "all", *words, *at)
                self.assertEqual(done.returncode, 1, words)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            stub = monitor_client.stub(branches.address(3))
            for number, program in enumerate([f"df; touch {trap}", f"$(touch {trap})", f"| touch {trap}", "/bin/sh", "../../bin/df", "df\n", "", "DF"]):
                with self.assertRaises(grpc.RpcError) as refused:
                    run(stub, f"trap-{number}", ["branch-1"], **diagnostic(program))
                self.assertEqual(refused.exception.code(), grpc.StatusCode.INVALID_ARGUMENT, program)
                self.assertIn("one of df, uptime, ps, free", refused.exception.details())
            self.assertFalse(trap.exists())
            self.assertEqual(self.count(), 0)
            for branch in branches.ids:  # refusals are on record everywhere
                until(lambda: self.audit(branches.address(branch)).get(("trap-0#1", "branch-1"), {}).get("outcome") == "refused", "a refusal on record")
            self.assertEqual(bankctl("exec", "nobody", "uptime", *at).returncode, 2)
            self.assertEqual(bankctl("exec", "branch-9", "uptime", *at).returncode, 2)
            moved = bankctl("exec", "leader", "transfer-leadership", *at)
            self.assertEqual(moved.returncode, 0, moved.stderr)
            nowhere = bankctl("transfer", "--to", "9", *at)
            self.assertEqual(nowhere.returncode, 1, nowhere.stderr)
            self.assertIn("branch 9 is no other branch that votes\n", nowhere.stderr)

    def test_names_of_all_kinds_stand_on_one_line(self):
        names = ["x" + "é" * 3000, "中" * 5000, "a\nbranch-1  done\x1b[31m", "\u202e gnp.exe", "$(reboot); `id`"]
        with self.bank() as branches:
            for branch in branches.ids:
                stub = monitor_client.stub(branches.address(branch))
                for number, name in enumerate(names):
                    request = pb.RunCommandRequest(id=f"name-{branch}-{number}", issuer=name, command=pb.Command(verify_digest=pb.VerifyDigest()))
                    results = [update.result for update in stub.RunCommand(request, timeout=WAIT_S) if update.HasField("result")]
                    self.assertEqual([r.outcome for r in results], [pb.CommandResult.DONE] * 3, name[:20])
            expected = {(f"name-{b}-{n}", f"branch-{a}") for a in branches.ids for b in branches.ids for n in range(len(names))}
            for branch in branches.ids:
                until(lambda: expected <= self.audit(branches.address(branch)).keys(), "all is on record")
                table = bankctl("audit", "--at", branches.address(branch)).stdout
                self.assertEqual(len(table.splitlines()), 1 + len(expected))
                self.assertFalse([c for c in table if c != "\n" and not c.isprintable()], table)
            # Without a name in the environment it is the system's.
            environment = {key: value for key, value in os.environ.items() if key not in ("USER", "LOGNAME")}
            done = bankctl("exec", 1, "uptime", "--id", "whose", "--at", branches.address(2), env=environment)
            self.assertEqual(done.returncode, 0, done.stderr)
            until(lambda: ("whose", "branch-1") in self.audit(branches.address(2)), "it is on record")
            record = self.audit(branches.address(2))["whose", "branch-1"]
            self.assertIn(pwd.getpwuid(os.geteuid()).pw_name, record["issuer"])
            self.assertGreater(int(record["ended_unix_nanos"]), 2**53)
            self.assertIsInstance(record["ended_unix_nanos"], str, "a JavaScript reader would round it")

    def test_endless_output_is_capped_and_hanging_is_ended(self):
        with self.bank() as branches:
            stub = monitor_client.stub(branches.address(1))
            output, result = run(stub, "endless", ["branch-2"], deadline_ms=20_000, **diagnostic("ps"))["branch-2"]
            self.assertEqual(len(output), 65_536)
            self.assertTrue(result.truncated)
            self.assertEqual((result.outcome, result.exit_status), (pb.CommandResult.FAILED, 137))
            _, result = run(stub, "hangs", ["branch-3"], deadline_ms=1000, **diagnostic("free"))["branch-3"]
            self.assertEqual((result.outcome, result.exit_status), (pb.CommandResult.TIMED_OUT, 137))
            # Ctrl-C.
            with subprocess.Popen([bank.BIN / "bankctl", "exec", "2", "df", "--id", "cancelled", "--at", branches.address(3), "-w", "json"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
                until(lambda: self.count() == 1, "the command runs")
                waiting.send_signal(signal.SIGINT)
                printed, _ = waiting.communicate(timeout=WAIT_S)
            self.assertEqual(waiting.returncode, 7, printed)
            self.assertEqual(json.loads(printed)["outcome"], "cancelled")

    def test_the_leader_dies_in_the_middle(self):
        with self.bank() as branches:
            leader = branches.leader()
            runner, asked = [b for b in branches.ids if b != leader]
            with concurrent.futures.ThreadPoolExecutor() as pool:
                stub = monitor_client.stub(branches.address(asked))
                answer = pool.submit(run, stub, "middle", [f"branch-{runner}"], deadline_ms=60_000, timeout=90, **diagnostic("df"))
                until(lambda: self.count() == 1, "the command runs")
                branches.kill(leader)
                until(lambda: branches.leader() not in (None, leader), "another one leads")
                self.gate.touch()
                output, result = answer.result(timeout=WAIT_S)[f"branch-{runner}"]
            self.assertEqual((output, result.outcome), (b"begun\nended\n", pb.CommandResult.DONE))
            again = bankctl("exec", runner, "df", "--id", "middle", "-w", "json", "--at", branches.address(runner))
            self.assertEqual(again.returncode, 0, again.stderr)
            self.assertTrue(json.loads(again.stdout)["repeated"])
            self.assertEqual(self.count(), 1, "it ran once")
            # The dead one: nothing was run there, and that is said soon.
            dead = bankctl("exec", leader, "uptime", "--at", branches.address(asked))
            self.assertEqual(dead.returncode, 3, dead.stderr)
            branches.start([leader])

    def test_all_means_all(self):
        with self.bank() as branches:
            at = ["--at", branches.address(1)]
            branches.kill(3)
            until(lambda: branches.leader() not in (None, 3), "another one leads")

            def done_without_the_dead_one():
                nonlocal done
                done = bankctl("exec", "all", "uptime", *at)
                return "branch-1: " in done.stdout and "branch-2: " in done.stdout
            done = None
            until(done_without_the_dead_one, "the others run it")
            self.assertEqual(done.returncode, 3, done.stdout)
            self.assertIn("branch-3", done.stderr)
            self.assertNotIn("branch-3", done.stdout)
            branches.start([3])
            until(lambda: bankctl("exec", "all", "uptime", *at).returncode == 0, "all run it again")

    def test_an_id_is_once_for_the_bank_and_never_found_lying_about(self):
        with self.bank() as branches:
            at = ["--at", branches.address(2)]
            # Whoever leads next would run it again.
            for target in ("leader", "1,leader"):
                done = bankctl("exec", target, "df", "--id", "once", *at)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn("name the branch", done.stderr)
            self.assertEqual(self.count(), 0)
            # A branch's number in the environment is no command's id: each call is a new command.
            environment = {**os.environ, "BANK_ID": "2", "BANK_TO": "3", "BANK_WORDS": "2"}
            for _ in range(2):
                done = bankctl("exec", 1, "uptime", "-w", "json", *at, env=environment)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertFalse(json.loads(done.stdout)["repeated"])
                self.assertNotEqual(json.loads(done.stdout)["id"], "2")
            done = bankctl("exec", 1, "uptime", "--id", "", *at)
            self.assertEqual(done.returncode, 1, done.stdout)

    def test_what_could_not_be_printed_is_no_success(self):
        with self.bank() as branches:
            at = ["--at", branches.address(1)]
            for words in (["--help"], ["status"], ["members"], ["health"], ["digests"], ["metrics"], ["audit"], ["events"],
                          ["exec", "1", "uptime"], ["exec", "1", "uptime", "-w", "json"]):
                for sink in ("/dev/full", "closed"):
                    with open("/dev/full", "w") as full:
                        done = subprocess.run([bank.BIN / "bankctl", *words, *(at if words != ["--help"] else [])], stdout=full, stderr=subprocess.PIPE,
                                              text=True, timeout=90 * bank.PATIENCE,
                                              preexec_fn=(lambda: os.close(1)) if sink == "closed" else None)
                    self.assertEqual(done.returncode, 3, f"{words} {sink}: {done.stderr}")
                    self.assertIn("standard output", done.stderr)

    def test_a_branch_that_dies_while_it_runs_never_runs_it_again(self):
        with self.bank() as branches:
            stub = monitor_client.stub(branches.address(branches.leader()))
            victim = next(b for b in branches.ids if b != branches.leader())
            with concurrent.futures.ThreadPoolExecutor() as pool:
                answer = pool.submit(run, stub, "cut", [f"branch-{victim}"], deadline_ms=30_000, timeout=60, **diagnostic("df"))
                until(lambda: self.count() == 1, "the command runs")
                branches.kill(victim)
                branches.start([victim])
                _, result = answer.result(timeout=60)[f"branch-{victim}"]
            self.assertEqual(result.outcome, pb.CommandResult.UNKNOWN)
            self.gate.touch()
            done = bankctl("exec", victim, "df", "--id", "cut", "--at", branches.address(victim))
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertEqual(self.count(), 1)

    def test_all_branches_tell_the_same_after_a_restart_of_all(self):
        with self.bank() as branches:
            for branch in branches.ids:
                self.assertEqual(bankctl("exec", branch, "uptime", "--id", f"on-{branch}", "--issuer", "alice", "--at", branches.address(1)).returncode, 0)

            def complete(branch):
                records = self.audit(branches.address(branch))
                return all(records.get((f"on-{b}", f"branch-{b}"), {}).get("outcome") == "done" for b in branches.ids) and records

            for branch in branches.ids:
                until(lambda: complete(branch), f"branch {branch} knows all")
            before = complete(1)
            self.assertTrue(before[("on-2", "branch-2")]["issuer"].startswith("alice (ipv"), before)
            for branch in branches.ids:
                branches.kill(branch)
            branches.start()
            for branch in branches.ids:
                until(lambda: complete(branch) == before, f"branch {branch} tells the same after the restart")
            self.assertEqual(bankctl("exec", 2, "uptime", "--id", "on-2", "--at", branches.address(3)).returncode, 0)
            self.assertEqual(complete(1), before, "it was not run again")

    def test_a_foreign_agent_at_a_branch_that_does_not_lead(self):
        with self.bank() as branches:
            follower = next(b for b in branches.ids if b != branches.leader())
            with Agent("py", branches.address(follower)) as agent:
                stub = monitor_client.stub(branches.address(branches.leader()))
                until(lambda: agent.connected(stub), "the agent is known")
                output, result = run(stub, "foreign", ["py"], **diagnostic("uptime"))["py"]
                self.assertEqual((output, result.outcome), (b"hello from py", pb.CommandResult.DONE))
                _, again = run(monitor_client.stub(branches.address(follower)), "foreign", ["py"], **diagnostic("uptime"))["py"]
                self.assertTrue(again.repeated)
                self.assertEqual(agent.ran.count("foreign"), 1)
                until(lambda: ("foreign", "py") in self.audit(branches.address(follower)), "it is on record")
                with Agent("py", branches.address(follower)) as later:  # while the first is still there
                    until(lambda: agent.refused, "the first one's end")
                    self.assertEqual(agent.refused, grpc.StatusCode.ABORTED)
                    output, result = run(stub, "to-the-later", ["py"], **diagnostic("uptime"))["py"]
                    self.assertEqual((output, result.outcome), (b"hello from py", pb.CommandResult.DONE))
                    self.assertEqual((agent.ran.count("to-the-later"), later.ran), (0, ["to-the-later"]))
            with Agent("branch-2", branches.address(follower)) as liar:
                until(lambda: liar.refused, "a branch's name is refused")
                self.assertEqual(liar.refused, grpc.StatusCode.INVALID_ARGUMENT)

    def test_a_foreign_server(self):
        with monitor_server.Server() as server, self.bank("--monitor", server.address) as branches:
            until(lambda: len(server.agents) == 3, "all branches connect")
            self.assertEqual(set(server.agents), {"branch-1", "branch-2", "branch-3"})
            said = server.ask("branch-2", "from-py", **diagnostic("uptime"))
            self.assertEqual(said[-1].result.outcome, pb.CommandResult.DONE)
            self.assertIn(b"load average", b"".join(r.output.text for r in said if r.HasField("output")))
            self.assertTrue(server.ask("branch-2", "from-py", **diagnostic("uptime"))[-1].result.repeated)
            trap = self.folder / "trap"
            said = server.ask("branch-1", "trap", **diagnostic(f"uptime; touch {trap}"))
            self.assertEqual(said[-1].result.outcome, pb.CommandResult.REFUSED)
            self.assertFalse(trap.exists())
            record = self.audit(branches.address(2))[("from-py", "branch-2")]
            self.assertIn(server.address, record["issuer"])


class Agent:
    """An agent as somebody might write it from the proto: says hello, answers what it is asked."""

    def __init__(self, name, address):
        self.name, self.stub = name, monitor_client.stub(address)
        self.ran, self.refused = [], None
        self.out = queue.Queue()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.probes = 0

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.call.cancel()
        self.thread.join()

    def connected(self, stub):
        self.probes += 1
        try:
            return "py" in run(stub, f"probe-{self.probes}", [self.name], **diagnostic("uptime"))
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND, error
            return False

    def serve(self):
        self.out.put(pb.CommandResponse(hello=pb.Agent(agent=self.name, hostname="elsewhere", incarnation=time.time_ns())))
        self.call = self.stub.CommandStream(iter(self.out.get, None), wait_for_ready=True)
        try:
            for request in self.call:
                if not request.HasField("command"):
                    continue
                self.ran.append(request.id)
                now = time.time_ns()
                self.out.put(pb.CommandResponse(id=request.id, started=pb.CommandStarted(time_unix_nanos=now)))
                self.out.put(pb.CommandResponse(id=request.id, output=pb.CommandOutput(text=b"hello from py")))
                self.out.put(pb.CommandResponse(id=request.id, result=pb.CommandResult(outcome=pb.CommandResult.DONE, started_unix_nanos=now, ended_unix_nanos=now)))
        except grpc.RpcError as error:
            self.refused = error.code()
        self.out.put(None)


if __name__ == "__main__":
    unittest.main()

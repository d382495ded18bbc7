"""What run_all.sh does once everything is built: replay and judge an input, judge somebody else's bank, leave a bank up, or restart a branch.

Its arguments are run_all.sh's own, checked there. Exit codes as there.
"""
import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys

import against
import branches
import description
import folder
import ports
import serving
from folder import shown

USAGE, BAD_INPUT, UNAVAILABLE, UNKNOWN = 1, 2, 3, 4
START_ATTEMPTS = 3  # free ports may be taken between the look and the start
SERVE_BASE = 50050
WAYS = {"raft": "consensus (raft)", "lamport": "logical clocks (lamport)"}
PASSED_ON = ("order", "form", "files", "guarantees")  # flags of run_all.sh that are the customers'
OF_PROJECTS = {"order": (1, 3), "form": (2, 3), "files": (2,), "guarantees": (3,)}


class Stop(Exception):
    """One line for the user, and an exit code."""

    def __init__(self, exit_code, text=""):
        super().__init__(text)
        self.exit_code = exit_code


class Run:
    """One run: its folder, the flags of its TLS, its branches."""

    def __init__(self, options, ids, balance, replicator):
        self.options, self.ids, self.balance, self.replicator = options, ids, balance, replicator
        if options.base_port is not None:
            ports.fixed(options.base_port, ids, self.serves)  # refused before anything is made
        self.folder = folder.make(options.out)
        self.tls = []
        if options.tls:
            subprocess.run([folder.ROOT / "scripts/make_certificates.sh", self.folder / "tls"], check=True)
            self.tls = ["--tls-ca", self.folder / "tls/ca.pem", "--tls-cert", self.folder / "tls/bank.pem", "--tls-key", self.folder / "tls/bank.key"]

    @property
    def serves(self):
        return self.options.mode == "serve"

    def start(self):
        """All branches, when they serve customers; with other ports if one was taken meanwhile."""
        data = (self.options.data if self.serves else None) or self.folder
        for attempt in range(START_ATTEMPTS):
            chosen = ports.free(self.ids) if self.options.base_port is None else ports.fixed(self.options.base_port, self.ids, self.serves)
            at = list(chosen.values())
            print(f"starting {len(at)} branch{'es' if len(at) > 1 else ''} at localhost:{at[0]}..{at[-1]}", flush=True)
            bank = branches.Branches(self.options.bin, self.folder, chosen, self.balance, data, self.replicator, self.tls, ports.HTTP_ABOVE if self.serves else None)
            try:
                bank.start_all()
                bank.await_listening()
                bank.await_ready(self.folder / "wait-ready.log")
                return bank
            except branches.Died as died:
                bank.stop()
                if self.options.base_port is not None or attempt + 1 == START_ATTEMPTS or died.exit_code != UNAVAILABLE:
                    raise Stop(died.exit_code, f"{died} (logs: {shown(self.folder)})") from died
            except TimeoutError as late:
                bank.stop()
                raise Stop(UNAVAILABLE, f"the bank did not become ready: {late} (logs: {shown(self.folder)})") from late
            except BaseException:
                bank.stop()
                raise

    def program(self, name, *arguments, **options):
        """Its exit code. It ends with this process."""
        with subprocess.Popen([self.options.bin / name, *arguments, *self.tls], **options) as process:
            try:
                return process.wait()
            except BaseException:
                process.kill()
                raise


def replicator_of(project, given):
    if project == 2 and given == "raft":
        raise Stop(USAGE, "--replicator raft: project 2 is about logical clocks, which lamport keeps")
    return given or ("lamport" if project == 2 else "raft")


def refuse_without_effect(shape, options):
    for flag, projects in OF_PROJECTS.items():
        if getattr(options, flag, None) and shape["project"] not in projects:
            raise Stop(USAGE, f"--{flag} has no effect on an input of {shape['project_name']}")


def judged_as(project, options):
    """How `checker course` is to judge the answers."""
    return ["--strict"] if project == 2 else ["--order", options.order or "sequential"]


def outputs_of(output, options):
    if options.files != "three":
        return [output]
    return [output.with_name(f"{output.stem}.{part}{output.suffix}") for part in (1, 2, 3)]


def shape_of(options, *more):
    """What `customer check` says of the input, and one line about it."""
    project = ["--project", str(options.project)] if options.project else []
    check = subprocess.run([options.bin / "customer", "check", options.input, *project, *more, "-w", "json"], stdout=subprocess.PIPE)
    if check.returncode != 0:
        raise Stop(check.returncode)  # it has said why
    shape = json.loads(check.stdout)
    return shape, f"{shape['project_name']}, {'as told' if options.project else 'by the form of the input'}"


def replay(options):
    shape, project = shape_of(options, *(["--output", options.output] if options.output else []))
    replicator = replicator_of(shape["project"], options.replicator)
    refuse_without_effect(shape, options)
    print(f"{project}; branches agree by {WAYS[replicator]}", flush=True)
    run = Run(options, shape["branches"], shape["balance"], replicator)
    output = options.output or run.folder / "output.json"
    history, digests, log = run.folder / "history.jsonl", run.folder / "digests.jsonl", run.folder / "digests.log"
    with run.start() as bank:
        given = [word for flag in PASSED_ON if getattr(options, flag) for word in (f"--{flag}", getattr(options, flag))]
        status = run.program("customer", "replay", options.input, "--project", str(shape["project"]), *given, "--at", bank.addresses,
                             "--output", output, "--history", history)
        if status != 0:
            print(f"run_all.sh: the customers ended with exit code {status} (logs: {shown(run.folder)})", file=sys.stderr)
        with open(log, "wb") as said:
            told = run.program("bankctl", "digests", "--at", bank.addresses, "--output", digests, stdout=said, stderr=said)
        if told != 0:
            sys.stderr.write(log.read_text(errors="replace"))
            raise Stop(UNAVAILABLE, f"the branches' digests could not be read (logs: {shown(run.folder)})")
        run.tls = []  # the checker reads files
        verdict = run.program("checker", history, "--digests", digests, "--html", run.folder / "timeline.html")
        if status == 0:
            course = run.program("checker", "course", "--project", str(shape["project"]), *judged_as(shape["project"], options), options.input,
                                 *outputs_of(output, options))
            verdict = verdict or (0 if course == UNKNOWN else course)  # what it leaves open, the places of all operations have decided
    print(f"output: {shown(output)}   history, timeline, logs: {shown(run.folder)}/", flush=True)
    if status or verdict:
        raise Stop(status or verdict)
    if bank.unclean:
        raise Stop(UNAVAILABLE, f"stopped badly: {', '.join(bank.unclean)} (logs: {shown(run.folder)})")


def leave(verdict):
    if verdict:
        raise Stop(verdict)


def refuse_disturbance(theirs, shape, options):
    if theirs.wire and options.order == "converged":
        raise Stop(USAGE, f"--order converged has no effect with the \"wire\" of {options.against}: sequential or concurrent")
    for flag in ("pause", "kill"):
        branch = getattr(options, flag)
        if branch is None:
            continue
        if not theirs.wire or not theirs.one_by_one():
            raise Stop(USAGE, f"--{flag} needs \"wire\" and a command per branch in {options.against}")
        if branch not in shape["branches"]:
            raise Stop(USAGE, f"--{flag} {branch}: the input has no such branch")


def run_against(options):
    theirs = description.read(options.against)
    shape, project = shape_of(options)
    if not theirs.wire:  # where the order is that in which our customers ask
        refuse_without_effect(shape, options)
    print(f"{project}; the bank of {options.against}", flush=True)
    disturbed = [word for flag in ("pause", "kill") if getattr(options, flag) is not None for word in (f"--{flag}", str(getattr(options, flag)))]
    refuse_disturbance(theirs, shape, options)
    if theirs.wire:
        return leave(against.run_wire(theirs, options.input, shape, folder.make(options.out), options.bin / "checker",
                                      ["--order", options.order or "sequential", *disturbed]))
    judge = [options.bin / "checker", "course", "--project", str(shape["project"]), *judged_as(shape["project"], options), options.input]
    leave(against.run(theirs, options.input, shape, folder.make(options.out), judge))


def serve(options):
    if options.base_port is None:
        options.base_port = SERVE_BASE
    run = Run(options, list(range(1, options.branches + 1)), options.initial_balance, options.replicator)
    with run.start() as bank:
        serving.say(f"the bank serves; account 'shared' was opened with {options.initial_balance}")
        serving.say(f"branches: {bank.addresses}")
        for branch in bank.all.values():
            serving.say(f"branch {branch.id} (pid {branch.process.pid}) listens at {branch.address}")
        serving.say(f"console: http://{bank.http(bank.all[1])}/")
        serving.say(f"data, logs: {options.data or run.folder}")
        hint = f" --base-port {options.base_port}" if options.base_port != SERVE_BASE else ""
        hint += f" --out {options.out}" if options.out else ""
        serving.Service(bank, run.folder, options.base_port, hint).serve()


def restart(options):
    answer = serving.ask_restart(options.out, options.base_port, options.branch)
    if not answer["ok"]:
        raise Stop(answer["exit_code"], answer["text"])
    print(f"branch {options.branch} (pid {answer['pid']}) runs again", flush=True)
    ready = subprocess.run([options.bin / "bankctl", "wait-ready", "--at", answer["address"], "--timeout", "60", *answer["tls"]])
    if ready.returncode != 0:
        raise Stop(ready.returncode)
    print(f"branch {options.branch} serves customers")


def parse():
    parser = argparse.ArgumentParser()
    modes = parser.add_subparsers(dest="mode", required=True)
    for name in ("replay", "against", "serve", "restart"):
        mode = modes.add_parser(name)
        mode.add_argument("--bin", type=pathlib.Path, required=True)
        mode.add_argument("--out", type=pathlib.Path)
        if name == "against":
            for flag in ("against", "input"):
                mode.add_argument(f"--{flag}", type=pathlib.Path, required=True)
            mode.add_argument("--project", type=int)
            mode.add_argument("--order")
            mode.add_argument("--pause", type=int)
            mode.add_argument("--kill", type=int)
            continue
        mode.add_argument("--base-port", type=int)
        if name == "restart":
            mode.add_argument("--branch", type=int, required=True)
            continue
        mode.add_argument("--tls", action="store_true")
        mode.add_argument("--replicator")
        if name == "replay":
            mode.add_argument("--input", type=pathlib.Path, required=True)
            mode.add_argument("--project", type=int)
            mode.add_argument("--output", type=pathlib.Path)
            for flag in PASSED_ON:
                mode.add_argument(f"--{flag}")
        else:
            mode.add_argument("--branches", type=int, required=True)
            mode.add_argument("--initial-balance", type=int, required=True)
            mode.add_argument("--data", type=pathlib.Path)
    return parser.parse_args()


def end(number, _):
    raise Stop(128 + number)  # what runs is stopped on the way out; told again, it is killed


def forget_variables():
    """The programs take their flags from variables too; what a run needs is said to them, and all else would be chance."""
    for name in [name for name in os.environ if name.startswith("BANK_")]:
        del os.environ[name]


def main():
    forget_variables()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    options = parse()
    try:
        {"replay": replay, "against": run_against, "serve": serve, "restart": restart}[options.mode](options)
    except Stop as stop:
        if str(stop):
            print(f"run_all.sh: {stop}", file=sys.stderr)
        return stop.exit_code
    except ports.NoPorts as none:
        print(f"run_all.sh: {none}", file=sys.stderr)
        return USAGE if getattr(options, "base_port", None) is not None else UNAVAILABLE
    except (folder.NoFolder, description.Bad) as bad:
        print(f"run_all.sh: {bad}", file=sys.stderr)
        return BAD_INPUT
    except against.Unknown as unknown:
        print(f"run_all.sh: {unknown}", file=sys.stderr)
        return UNKNOWN
    except against.NotRun as none:
        print(f"run_all.sh: {none}", file=sys.stderr)
        return UNAVAILABLE
    except serving.NotServed as none:
        print(f"run_all.sh: {none}", file=sys.stderr)
        return UNAVAILABLE
    except (OSError, subprocess.CalledProcessError) as error:  # a full disk, a closed standard output
        print(f"run_all.sh: {error}", file=sys.stderr)
        return UNAVAILABLE
    return 0


if __name__ == "__main__":
    code = main()
    try:
        sys.stdout.flush()
    except OSError:  # main() has told of it, where it matters
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)

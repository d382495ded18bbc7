#!/usr/bin/python3
"""Writes a history as Jepsen does (EDN), of a bank or a register that is linearizable, or nearly.

  tests/support/jepsen_history.py bank --operations 5000 --processes 20 --unknown 0.05 > right.edn
  tests/support/jepsen_history.py bank --seed 7 --wrong lost > wrong.edn

Simulated with one clock: each operation takes effect at one moment between its invocation and its
completion; of those with an unknown outcome half do, some of them long after. --wrong plants one bug:
`lost` (a transfer or write without effect), `double` (a transfer carried out twice), `failed` (one that
took effect is told to have failed), `read` (a read shows a state that never was). It may happen that
operations of unknown outcome explain what it did: such a history is right after all.
"""
import argparse
import heapq
import random
import sys

BUGS = ["lost", "double", "failed", "read"]


def arguments(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", choices=["bank", "register"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--operations", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=10)
    parser.add_argument("--accounts", type=int, default=8)
    parser.add_argument("--balance", type=int, default=10, help="of each account at first")
    parser.add_argument("--keys", type=int, default=1, help="independent registers")
    parser.add_argument("--unknown", type=float, default=0.02, help="share of unknown outcomes")
    parser.add_argument("--reads", type=float, default=0.5, help="share of reads")
    parser.add_argument("--wrong", choices=BUGS)
    return parser.parse_args(words)


class Simulation:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.lines = []
        self.events = []  # (time, number, function)
        self.numbers = 0
        self.invoked = 0
        self.balances = [options.balance] * options.accounts
        self.registers = [None] * options.keys
        self.bug_from = options.operations * self.random.uniform(0.3, 0.8) if options.wrong else None

    def run(self):
        for process in range(self.options.processes):
            self.at(self.random.uniform(0, 5), lambda now, p=process: self.invoke(now, p))
        while self.events:
            now, _, function = heapq.heappop(self.events)
            function(now)
        return "\n".join(self.lines) + "\n"

    def at(self, time, function):
        self.numbers += 1
        heapq.heappush(self.events, (time, self.numbers, function))

    def tell(self, now, kind, process, op, value):
        self.lines.append("{:type :%s, :f :%s, :value %s, :process %d, :time %d, :index %d}"
                          % (kind, op["f"], value, process, now * 1e6, len(self.lines)))

    def is_time_for(self, bug):
        if self.bug_from is None or bug != self.options.wrong or self.invoked < self.bug_from:
            return False
        self.bug_from = None
        return True

    def choose(self):
        options, rand = self.options, self.random
        if rand.random() < options.reads:
            op = {"f": "read", "asked": "nil"}
        elif options.workload == "bank":
            op = {"f": "transfer", "from": rand.randrange(options.accounts), "amount": rand.randint(1, 5)}
            op["to"] = (op["from"] + rand.randrange(1, options.accounts)) % options.accounts
            op["asked"] = "{:from %(from)d, :to %(to)d, :amount %(amount)d}" % op
        elif rand.random() < 0.5:
            op = {"f": "write", "new": rand.randrange(5)}
            op["asked"] = "%d" % op["new"]
        else:
            op = {"f": "cas", "old": rand.randrange(5), "new": rand.randrange(5)}
            op["asked"] = "[%(old)d %(new)d]" % op
        op["key"] = rand.randrange(options.keys)
        op["asked"] = self.keyed(op, op["asked"])
        return op

    def keyed(self, op, value):
        return "[%d %s]" % (op["key"], value) if self.options.keys > 1 else value

    def invoke(self, now, process):
        if self.invoked >= self.options.operations:
            return
        self.invoked += 1
        rand, op = self.random, self.choose()
        self.tell(now, "invoke", process, op, op["asked"])
        if rand.random() < self.options.unknown:
            if rand.random() < 0.5:
                late = rand.random() < 0.2
                self.at(now + (rand.uniform(60, 3000) if late else rand.uniform(0, 60)), lambda t: self.carry(op))
            self.at(now + rand.uniform(30, 60), lambda t: self.give_up(t, process, op))
        else:
            takes = 1 + rand.expovariate(1 / 8)
            self.at(now + rand.uniform(0, takes), lambda t: self.carry(op))
            self.at(now + takes, lambda t: self.complete(t, process, op))

    def carry(self, op):
        op["fine"] = True
        if op["f"] == "read":
            op["told"] = self.keyed(op, self.state(op["key"]))
            return
        if op["f"] == "transfer":
            op["fine"] = self.balances[op["from"]] >= op["amount"]
        elif op["f"] == "cas":
            op["fine"] = self.registers[op["key"]] == op["old"]
        if not op["fine"] or self.is_time_for("lost"):
            return
        if op["f"] != "transfer":
            self.registers[op["key"]] = op["new"]
        else:
            times = 2 if self.balances[op["from"]] >= 2 * op["amount"] and self.is_time_for("double") else 1
            self.balances[op["from"]] -= op["amount"] * times
            self.balances[op["to"]] += op["amount"] * times
        if self.is_time_for("failed"):
            op["fine"] = False

    def state(self, key):
        if self.options.workload == "register":
            value = self.registers[key]
            if self.is_time_for("read"):
                value = 5
            return "nil" if value is None else str(value)
        shown = list(self.balances)
        if self.is_time_for("read"):
            poorer = max(range(len(shown)), key=lambda account: shown[account])
            shown[poorer] -= 1
            shown[poorer - 1] += 1
        return "{" + ", ".join("%d %d" % pair for pair in enumerate(shown)) + "}"

    def complete(self, now, process, op):
        self.tell(now, "ok" if op["fine"] else "fail", process, op, op.get("told", op["asked"]))
        self.at(now + self.random.expovariate(1 / 3), lambda t: self.invoke(t, process))

    def give_up(self, now, process, op):
        self.tell(now, "info", process, op, op["asked"])
        self.at(now + self.random.uniform(0, 10), lambda t: self.invoke(t, process + self.options.processes))


def history(words):
    return Simulation(arguments(words)).run()


if __name__ == "__main__":
    sys.stdout.write(Simulation(arguments()).run())

#!/usr/bin/python3
"""Writes a history with positions in which some outcomes are unknown, as a bank would answer it.

  tests/support/unknown_history.py --operations 1000000 --seed 7 > /tmp/history.jsonl
  build/release/bin/checker /tmp/history.jsonl

Half of the operations of unknown outcome happen, some of them long after they were given up. With
--wrong the bank has one fault, at a random place:
  balance   one answer tells a balance that is off by one
  lost      one acknowledged deposit was not made
  twice     one operation of unknown outcome was carried out twice
  early     one operation of unknown outcome was carried out long before it was asked for
Other operations of unknown outcome may explain what a fault did: then the history is right.
"""
import argparse
import heapq
import random
import sys

OPTIONS = {"operations": 10000, "clients": 64, "accounts": 16, "amount": 100, "balance": 1000}


class Bank:
    def __init__(self, arguments):
        self.balances = {f"a{i}": arguments.balance for i in range(arguments.accounts)}
        self.position = 0

    def carry_out(self, op):
        """What the operation is told: result, balance, position."""
        account = op["account"]
        if op["op"] == "query":
            return "ok", self.balances[account], self.position
        self.position += 1
        if op["op"] != "deposit" and self.balances[account] < op["amount"]:
            return "insufficient_funds", self.balances[account], self.position
        self.balances[account] += op["amount"] if op["op"] == "deposit" else -op["amount"]
        if op["op"] == "transfer":
            self.balances[op["to"]] += op["amount"]
        return "ok", self.balances[account], self.position


class Run:
    def __init__(self, arguments, write):
        self.arguments = arguments
        self.random = random.Random(arguments.seed)
        self.bank = Bank(arguments)
        self.write = write
        self.events = []  # (ns, number, what to do, operation)
        self.count = 0
        self.number = 0
        self.fault_at = self.random.randrange(arguments.operations // 4, arguments.operations)
        self.fault = arguments.wrong

    def at(self, ns, what, op):
        self.number += 1
        heapq.heappush(self.events, (ns, self.number, what, op))

    def line(self, kind, op, ns, more=""):
        to = f'"to":"{op["to"]}",' if "to" in op else ""
        self.write(f'{{"type":"{kind}","process":{op["process"]},"id":{op["id"]},"session":'
                   f'{op["process"]},"sequence":{op["id"]},"op":"{op["op"]}","account":'
                   f'"{op["account"]}",{to}"amount":{op["amount"]},{more}"branch":1,"ns":{ns}}}\n')

    def new_operation(self, process, ids):
        choose = self.random.random()
        op = {"process": process, "id": ids, "amount": 0}
        op["op"] = ("query" if choose < 0.2 else "deposit" if choose < 0.5 else
                    "withdraw" if choose < 0.7 else "transfer")
        pick = int(self.arguments.accounts * self.random.random() ** self.arguments.skew)
        op["account"] = f"a{pick}"
        if op["op"] != "query":
            op["amount"] = self.random.randint(1, self.arguments.amount)
        if op["op"] == "transfer":
            other = self.random.randrange(self.arguments.accounts - 1)
            op["to"] = f"a{other + (other >= pick)}"
        op["unknown"] = op["op"] != "query" and self.random.random() < self.arguments.unknown
        return op

    def invoke(self, ns, op):
        self.count += 1
        rand = self.random.random
        early = self.fault == "early" and self.count >= self.fault_at and op["unknown"]
        if early:  # carried out now, asked for later
            self.fault = None
            self.bank.carry_out(op)
            self.at(ns + 100000, "ask late", op)
            self.at(ns + 500, "next", op["process"])
            return
        self.line("invoke", op, ns)
        if not op["unknown"]:
            self.at(ns + 1 + int(rand() * 100), "answer", op)
            return
        if rand() < self.arguments.happens:
            later = rand() * (100 if rand() < 0.8 else 20000)
            self.at(ns + 1 + int(later), "effect", op)
        self.at(ns + 500, "give up", op)

    def answer(self, ns, op):
        result, balance, position = self.bank.carry_out(op)
        if self.count >= self.fault_at:
            if self.fault == "balance":
                self.fault = None
                balance += 1
            elif self.fault == "lost" and op["op"] == "deposit":
                self.fault = None
                self.bank.balances[op["account"]] -= op["amount"]
        more = f'"result":"{result}","balance":{balance},"index":{position},'
        self.at(ns + 1 + int(self.random.random() * 100), "return", (op, more))

    def run(self):
        names = ",".join(f'"{name}":{balance}' for name, balance in self.bank.balances.items())
        self.write(f'{{"type":"header","version":1,"initial":{{{names}}}}}\n')
        ids = [0] * (self.arguments.clients + 1)
        for process in range(1, self.arguments.clients + 1):
            self.at(process, "next", process)
        while self.events:
            ns, _, what, op = heapq.heappop(self.events)
            if what == "next":
                if self.count < self.arguments.operations:
                    ids[op] += 1
                    self.invoke(ns, self.new_operation(op, ids[op]))
            elif what == "answer":
                self.answer(ns, op)
            elif what == "effect":
                self.bank.carry_out(op)
                if self.fault == "twice" and self.count >= self.fault_at:
                    self.fault = None
                    self.bank.carry_out(op)
            elif what == "ask late":
                self.line("invoke", op, ns)
            elif what == "give up":
                self.line("info", op, ns)
                self.at(ns + 1, "next", op["process"])
            else:
                op, more = op
                self.line("ok", op, ns, more)
                self.at(ns + 1, "next", op["process"])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in OPTIONS.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--unknown", type=float, default=0.02, help="share of the writes")
    parser.add_argument("--happens", type=float, default=0.5, help="share of the unknown ones")
    parser.add_argument("--skew", type=float, default=1, help="above 1: some accounts are hot")
    parser.add_argument("--wrong", choices=["balance", "lost", "twice", "early"])
    arguments = parser.parse_args()
    Run(arguments, sys.stdout.write).run()


if __name__ == "__main__":
    main()

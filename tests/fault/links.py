"""Steps about the links between branches: every one goes through a proxy of its own (tests/support/proxy.py)."""


class LinkSteps:
    def pairs(self, senders, receivers):
        return [(a, b) for a in senders for b in receivers if a != b]

    def do_cut(self, senders, arrow, receivers):
        """cut A -> B: what A sends to B waits; cut A <-> B: both ways."""
        a, b = self.targets(senders), self.targets(receivers)
        self.last = a
        self.fault()
        self.hold_from(a, b)
        if arrow == "<->":
            self.hold_from(b, a)

    def hold_from(self, senders, receivers):
        self.proxies.change(self.pairs(senders, receivers), held=True)
        self.proxies.change(self.pairs(receivers, senders), held_back=True)

    def do_isolate(self, word):
        self.last = self.targets(word)
        self.fault()
        others = [i for i in self.bank.ids if i not in self.last]
        self.hold_from(self.last, others)
        self.hold_from(others, self.last)

    def do_ring(self):
        """Every branch hears only its neighbour."""
        self.fault()
        ids = self.bank.ids
        for index, branch in enumerate(ids):
            others = [i for i in ids if i not in (branch, ids[(index + 1) % len(ids)])]
            self.hold_from([branch], others)

    def do_delay(self, milliseconds, jitter="0"):
        self.fault()
        self.proxies.change(self.proxies.links, delay=float(milliseconds) / 1e3, jitter=float(jitter) / 1e3)

    def do_break_connections(self, chance):
        self.fault()
        self.proxies.change(self.proxies.links, break_chance=float(chance))

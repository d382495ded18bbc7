"""Steps that choose faults at random: a storm has one at a time, a mixture several at once and damage at rest."""
import time

from trial import WAIT_SECONDS

DAMAGED = 6  # exit code of a branch that refuses its folder


class MixtureSteps:
    def do_storm(self, count):
        """Random faults one after the other; every one is healed before the branches run out of quorum."""
        for _ in range(int(count)):
            kind = self.rng.choice(["kill", "pause", "isolate", "cut", "slow", "delay", "break"])
            if kind == "kill":
                self.do_kill("random")
                self.do_ops(60)
                self.bank.start(self.last, wait=False)
            elif kind == "pause":
                self.do_pause("random")
                self.do_hold(self.rng.uniform(0.1, 2))
                self.do_continue()
            elif kind == "isolate":
                self.do_isolate("random")
                self.do_hold(self.rng.uniform(0.2, 2))
            elif kind == "cut":
                a, b = self.rng.sample(self.bank.ids, 2)
                self.do_cut(str(a), "->", str(b))
                self.do_hold(self.rng.uniform(0.2, 2))
            elif kind == "slow":
                self.do_disk("random", "slow", str(self.rng.choice([5, 20, 80])))
                self.do_hold(self.rng.uniform(0.2, 1))
            elif kind == "delay":
                self.do_delay(self.rng.choice([1, 10, 50]), 20)
                self.do_hold(self.rng.uniform(0.2, 1))
            else:
                self.do_break_connections(0.01)
                self.do_hold(self.rng.uniform(0.2, 1))
            self.do_heal()
            self.bank.wait_ready(seconds=WAIT_SECONDS)

    def do_mixture(self, seconds):
        """For so long: up to four faults at once, then a heal after which every branch must serve and answer."""
        end = time.monotonic() + float(seconds)
        while time.monotonic() < end:
            if self.rng.random() < 0.4:
                self.damage()
            for _ in range(self.rng.randint(1, 4)):
                self.strike()
                self.do_hold(self.rng.choice([0.05, 0.5, 2]) * self.rng.random())
            self.do_heal()
            self.start_dead()
            self.bank.wait_ready(seconds=WAIT_SECONDS)
            self.do_ops(60)

    def strike(self):
        kind = self.rng.choice(["kill", "kill-all", "restart", "pause", "isolate", "cut", "disk", "delay", "break"])
        if kind in ("kill", "pause", "isolate", "disk") and not self.bank.running():
            kind = "restart"
        if kind == "kill":
            self.do_kill("random")
        elif kind == "kill-all":
            self.do_kill("running")
        elif kind == "restart":
            self.start_dead()
        elif kind == "pause":
            self.do_pause("random")
            self.do_hold(self.rng.choice([0.2, 1, 5]) * self.rng.random())
            self.do_continue()
        elif kind == "isolate":
            self.do_isolate("random")
        elif kind == "cut":
            a, b = self.rng.sample(self.bank.ids, 2)
            self.do_cut(str(a), self.rng.choice(["->", "<->"]), str(b))
        elif kind == "disk":
            self.do_disk("random", *self.rng.choice([["full"], ["broken-write"], ["broken-sync"], ["short"], ["slow", "50"]]))
        elif kind == "delay":
            self.do_delay(self.rng.choice([1, 10, 50]), 20)
        else:
            self.do_break_connections(0.01)

    def damage(self):
        """Of one branch, while the others are whole: a bit anywhere, bytes cut off, or all of its folder. It starts, or refuses and is rebuilt."""
        (branch,) = self.targets("random")
        self.do_kill(str(branch))
        kind = self.rng.choice(["flip", "flip", "flip", "cut", "wipe"])
        if kind == "flip":
            self.do_flip(str(branch), "*")
        elif kind == "cut":
            self.do_cut_file(str(branch), "log-*", self.rng.choice([1, 7, 512, 1000]))
        else:
            self.do_wipe(str(branch))
        self.do_begin(str(branch))
        self.wait_for(lambda: branch not in self.bank.running() or self.listens(branch), f"branch {branch} to start or refuse")
        if branch in self.bank.running():
            return
        log = self.bank.log(branch).read_text(errors="replace")
        assert self.bank.processes[branch].returncode == DAMAGED, f"branch {branch} ended with {self.bank.processes[branch].returncode}: {log[-500:]}"
        self.do_begin(str(branch), "--rebuild")

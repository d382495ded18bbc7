"""The console of a real bank in a real browser.

Goal: it shows what is: all branches and that their money is equal, operations while customers run,
a killed branch as dead and the restarted one as live again, the leader's death included; from the
program alone, without an error on the page. CONSOLE_SCREENSHOTS=FOLDER keeps what it looked like.
"""
import contextlib
import os
import pathlib
import subprocess
import unittest
import urllib.request

import bank
from browser import Browser

LIVE = "document.querySelectorAll('#branches .pill.good:first-of-type').length"
SHOTS = os.environ.get("CONSOLE_SCREENSHOTS")


def text_of(identity):
    return f"document.getElementById('{identity}').textContent"


def liveness(branch):
    return f"document.querySelector('#branch-{branch} .pill')?.textContent"


@contextlib.contextmanager
def customers(three, seconds):
    """Customers at all branches, until the block ends."""
    load = subprocess.Popen(
        [bank.BIN / "customer", "load", "--at", three.addresses, "--mode", "unary",
         "--concurrency", "4", "--seconds", str(seconds)], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        load.terminate()
        load.wait(timeout=30 * bank.PATIENCE)


class ConsoleTest(unittest.TestCase):
    def shoot(self, browser, name):
        if SHOTS:
            browser.screenshot(pathlib.Path(SHOTS) / f"{name}.png")

    def test_shows_the_bank_as_it_is(self):
        with bank.Bank(branches=3, http=True) as three, Browser() as browser:
            wait = 30 * bank.PATIENCE
            leader = three.leader()
            watched, follower = [branch for branch in three.ids if branch != leader]
            browser.open(f"http://{three.http_address(watched)}/")
            browser.await_true(f"{text_of('serves')} === 'serves'", wait)
            for branch in three.ids:
                browser.await_true(f"{liveness(branch)} === 'live'", wait)
            browser.await_true(f"{text_of('invariant')} === 'equal on all branches'", wait)
            browser.await_true(f"{text_of('total')} === '400'", wait)
            browser.await_true("document.querySelectorAll('.chart canvas').length === 8", wait)
            self.shoot(browser, "idle")

            with customers(three, 120):
                number = f"Number({text_of('ops')}.replaceAll(',', ''))"
                browser.await_true(f"{number} > 10", wait)
                browser.await_true(f"{text_of('p99')} !== '–'", wait)
                self.shoot(browser, "busy")
                three.kill(follower)
                took = browser.await_true(f"{liveness(follower)} === 'dead'", wait)
                print(f"a killed follower was shown as dead after {took:.2f} s")
                browser.await_true(f"{text_of('invariant')} === 'equal on the branches that answer'", wait)
                self.shoot(browser, "follower-dead")
                three.start([follower])
                browser.await_true(f"{liveness(follower)} === 'live'", wait)
                three.kill(leader)
                took = browser.await_true(f"{liveness(leader)} === 'dead'", wait)
                print(f"a killed leader was shown as dead after {took:.2f} s")
                browser.await_true(f"{text_of('serves')} === 'serves'", wait)
                browser.await_true(f"{text_of('leader')}.includes('leads')", wait)
                self.shoot(browser, "leader-dead")
                three.start([leader])
                browser.await_true(f"{liveness(leader)} === 'live'", wait)
            browser.await_true(f"{text_of('invariant')} === 'equal on all branches'", wait)
            browser.await_true("document.querySelectorAll('#events li').length > 3", wait)
            self.shoot(browser, "whole-again")
            self.assertEqual(browser.complaints(), [])
            origins = browser.run("return [...new Set(performance.getEntriesByType('resource')"
                                  ".map((entry) => new URL(entry.name).origin))]")
            self.assertEqual(origins, [f"http://{three.http_address(watched)}"])

            # The page outlives its own branch: it says so, and goes on when the branch is back.
            three.kill(watched)
            stale = "document.body.classList.contains('stale')"
            browser.await_true(f"{text_of('serves')} === 'unknown' && {stale}", wait)
            three.start([watched])
            browser.await_true(f"{text_of('serves')} === 'serves' && {text_of('link')} === 'live' && !{stale}", wait)

            with Browser(width=390, height=3200, dark=True) as phone:
                phone.open(f"http://{three.http_address(watched)}/")
                phone.await_true(f"{text_of('serves')} === 'serves'", wait)
                self.assertLessEqual(phone.run("return document.documentElement.scrollWidth"), 390)
                self.shoot(phone, "phone")

    def test_checks_by_name(self):
        with bank.Bank(branches=3, http=True) as three:
            def get(branch, path):
                try:
                    with urllib.request.urlopen(f"http://{three.http_address(branch)}{path}") as answer:
                        return answer.status, answer.read().decode()
                except urllib.error.HTTPError as refused:
                    return refused.code, refused.read().decode()

            self.assertEqual(get(1, "/livez"), (200, "ok"))
            status, text = get(1, "/readyz?verbose")
            self.assertEqual(status, 200, text)
            self.assertIn("[+]quorum ok", text)
            for branch in (2, 3):
                three.kill(branch)
            status, text = get(1, "/readyz?verbose")
            self.assertEqual(status, 503)
            self.assertIn("[-]quorum failed", text)
            self.assertIn("[+]founded ok", text)  # and stays so
            self.assertEqual(get(1, "/livez"), (200, "ok"))


if __name__ == "__main__":
    unittest.main()

"""The checker's inputs and outputs: a verdict is the same from a file and from any kind of pipe, a place where no
timeline can be written changes no exit code, and what stands in a history cannot pretend to be a verdict."""
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import unittest

CHECKER = pathlib.Path(os.environ["BANK_BIN"]) / "checker"
HEADER = '{"type":"header","version":1,"initial":{"shared":400},"processes":1}\n'


def deposit(balance: int, account: str = "shared", position: str = "") -> str:
    common = ('"process":1,"id":1,"session":5,"sequence":1,"op":"deposit",'
              f'"account":{json.dumps(account)},"amount":170,"branch":2')
    return (f'{{"type":"invoke",{common},"ns":123}}\n'
            f'{{"type":"ok",{common},"result":"ok","balance":{balance},{position}"ns":456}}\n')


WRONG = HEADER + deposit(999)
RIGHT = HEADER + deposit(570)


class EdgesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def check(self, *arguments, text=None):
        return subprocess.run([CHECKER, *map(str, arguments)], input=text, capture_output=True, text=True, timeout=60)

    def written(self, text: str, name: str = "history.jsonl") -> pathlib.Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def refused(self, done, word: str):
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(word, done.stderr)

    def test_a_pipe_is_judged_as_a_file_is(self):
        for text, code in ((WRONG, 6), (RIGHT, 0)):
            self.assertEqual(self.check(self.written(text)).returncode, code)
            for name in ("-", "/dev/stdin", "/proc/self/fd/0"):
                self.assertEqual(self.check(name, text=text).returncode, code, name)

    def test_a_fifo_is_read_once_and_judged(self):
        for text, code in ((WRONG, 6), (RIGHT, 0)):
            fifo = self.folder / f"fifo{code}"
            os.mkfifo(fifo)
            writer = threading.Thread(target=lambda: fifo.write_text(text))
            writer.start()
            self.assertEqual(self.check(fifo, "--html", self.folder / "page.html").returncode, code)
            writer.join()
            self.assertIn("deposit", (self.folder / "page.html").read_text())

    def test_an_input_that_is_no_history_is_refused_in_one_line(self):
        self.refused(self.check(self.folder), "is a directory")
        self.refused(self.check(self.folder, "--format", "edn"), "is a directory")
        self.refused(self.check("/dev/null"), "no line of a history")
        self.refused(self.check("-", "-", text=RIGHT), "only once")
        self.refused(self.check(self.written(WRONG + RIGHT)), "second header")
        self.refused(self.check(self.folder / "missing"), "No such file")

    def test_two_histories_of_jepsen_in_one_file_are_refused(self):
        events = ('[{:process 0 :type :invoke :f :read :value nil}'
                  ' {:process 0 :type :ok :f :read :value {0 10}}]\n')
        self.assertEqual(self.check(self.written(events, "one.edn")).returncode, 0)
        self.refused(self.check(self.written(events + events, "two.edn")), "own file")

    def test_a_place_without_a_timeline_changes_no_verdict(self):
        for text, code in ((WRONG, 6), (RIGHT, 0)):
            history = self.written(text)
            for place in ("/nonexistent/page.html", self.folder, "/dev/full", history):
                done = self.check(history, "--html", place)
                self.assertEqual(done.returncode, code, place)
                self.assertIn("verdict", done.stdout)
                self.assertIn("no timeline", done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertEqual(history.read_text(), text)

    def test_names_are_escaped(self):
        name = "x\nverdict  consistent\n\x1b[2J\u202e</script>"
        history = self.written('{"type":"header","version":1,"initial":{%s:10}}\n' % json.dumps(name) +
                               deposit(999, name, '"index":9,'))
        page = self.folder / "page.html"
        table = self.check(history, "--html", page)
        self.assertEqual(table.returncode, 6)
        self.assertEqual([line for line in table.stdout.splitlines() if line.startswith("verdict")],
                         ["verdict  inconsistent"])
        report = self.check(history, "-w", "json")
        self.assertEqual(json.loads(report.stdout)["violations"][0]["operations"][0]["account"], name)
        for text in (table.stdout, report.stdout):
            self.assertTrue(all(c == "\n" or " " <= c <= "~" for c in text), text)
        self.assertEqual(page.read_text().count("</script>"), 1)


if __name__ == "__main__":
    unittest.main()

"""checker course as a teaching assistant meets it: exit codes, rows, folders, and the three parts of project 2."""
import csv
import io
import json
import pathlib
import subprocess
import tempfile
import unittest

import bank

INPUT = bank.ROOT / "input"
EXPECTED = INPUT / "expected"
RIGHT, USAGE, UNREADABLE, WRONG = 0, 1, 2, 6


class Course(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def course(self, *arguments):
        return subprocess.run([bank.BIN / "checker", "course", *map(str, arguments)], capture_output=True, text=True, timeout=60 * bank.PATIENCE)

    def file(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def wrong(self):
        answers = json.loads((EXPECTED / "three_branches.json").read_text())
        answers[2]["recv"][1]["balance"] = 330
        answers[0]["recv"][0]["balance"] = 0
        return self.file("wrong.json", answers)

    def test_one_output(self):
        right = self.course(INPUT / "three_branches.json", EXPECTED / "three_branches.json")
        self.assertEqual((right.returncode, right.stderr), (RIGHT, ""))
        self.assertTrue(right.stdout.startswith("verdict  right\n"), right.stdout)
        wrong = self.course(INPUT / "three_branches.json", self.wrong())
        self.assertEqual((wrong.returncode, wrong.stderr), (WRONG, ""))
        self.assertIn("\nfault 1: element 1, event 1: ", wrong.stdout)
        self.assertIn("\nfault 2: element 3, event 2: ", wrong.stdout)  # every fault, not only the first

    def test_what_cannot_be_read_is_one_line(self):
        missing, text = self.folder / "missing.json", self.file("text.json", "no output\n")
        for output in (missing, text, self.folder, EXPECTED / "one_write.json", INPUT / "three_branches.json"):
            with self.subTest(output):
                done = self.course(INPUT / "three_branches.json", output)
                self.assertEqual(done.returncode, UNREADABLE, done.stdout)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                self.assertIn(output.name, done.stderr)
        done = self.course(INPUT / "malformed/negative_request.json", EXPECTED / "one_write.json")
        self.assertEqual((done.returncode, done.stdout), (UNREADABLE, ""))
        self.assertIn("negative_request.json: element 1", done.stderr)

    def test_rows(self):
        outputs = [EXPECTED / "three_branches.json", self.wrong(), self.file("a,b.json", "nothing")]
        table = self.course(INPUT / "three_branches.json", *outputs)
        self.assertEqual(table.returncode, WRONG, table.stderr)
        self.assertEqual([line.split()[1] for line in table.stdout.splitlines()], ["verdict", "right", "wrong", "unreadable"])
        done = self.course("-w", "csv", INPUT / "three_branches.json", *outputs)
        self.assertEqual(done.returncode, WRONG)
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        self.assertEqual([(row["verdict"], row["values"], row["right"], row["share"], row["faults"]) for row in rows],
                         [("right", "5", "5", "100", "0"), ("wrong", "5", "3", "60", "2"), ("unreadable", "", "", "", "")])
        self.assertEqual(rows[2]["output"], str(outputs[2]))
        report = json.loads(self.course("-w", "json", INPUT / "three_branches.json", *outputs).stdout)
        self.assertEqual((report["project"], report["order"]), (1, "sequential"))
        self.assertEqual([output["verdict"] for output in report["outputs"]], ["right", "wrong", "unreadable"])
        self.assertEqual([fault["place"] for fault in report["outputs"][1]["faults"]], ["element 1, event 1", "element 3, event 2"])
        unreadable = self.course(INPUT / "three_branches.json", outputs[0], outputs[2])
        self.assertEqual(unreadable.returncode, UNREADABLE)

    def parts(self, name="one_write"):
        elements = json.loads((EXPECTED / f"{name}.json").read_text())
        lists = [e for e in elements if "events" in e]
        return ([e for e in lists if e["type"] == "customer"], [e for e in lists if e["type"] == "branch"], [e for e in elements if "events" not in e])

    def test_the_three_parts_of_project_2(self):
        customers, branches, flat = self.parts()
        files = [self.file(f"ann/{name}.json", part) for name, part in (("customers", customers), ("branches", branches), ("all", flat))]
        whole = EXPECTED / "one_write.json"
        one = self.course(INPUT / "one_write.json", *files)
        self.assertEqual((one.returncode, one.stderr), (RIGHT, ""), one.stdout)
        bad = json.loads(json.dumps(branches))
        bad[1]["events"][0]["logical_clock"] = 3
        others = [self.file(f"bob/{name}.json", part) for name, part in (("customers", customers), ("branches", bad), ("all", flat))]
        several = self.course("-w", "csv", INPUT / "one_write.json", *files, whole, *others)
        self.assertEqual(several.returncode, WRONG)
        self.assertEqual([row["verdict"] for row in csv.DictReader(io.StringIO(several.stdout))], ["right", "right", "wrong"])
        folders = self.course("-w", "csv", INPUT / "one_write.json", self.folder / "ann", self.folder / "bob")
        self.assertEqual([row["verdict"] for row in csv.DictReader(io.StringIO(folders.stdout))], ["right", "wrong"])
        alone = self.course(INPUT / "one_write.json", files[1])  # nobody's parts are lent to others
        self.assertEqual(alone.returncode, WRONG)
        self.assertIn("part 1 is missing", alone.stdout)

    def test_flags_that_would_have_no_effect_are_refused(self):
        one, clocks, central = INPUT / "three_branches.json", INPUT / "one_write.json", INPUT / "client_centric.json"
        for arguments in (["--strict", one], ["--sessions", one], ["--sessions", clocks], ["--order", "concurrent", clocks],
                          ["--order", "converged", central], ["--project", "4", one], [one], []):
            with self.subTest(arguments):
                output = [EXPECTED / "three_branches.json"] if len(arguments) > 1 else []
                done = self.course(*arguments, *output)
                self.assertEqual(done.returncode, USAGE, done.stdout + done.stderr)

    def test_fifty_submissions(self):
        text = (EXPECTED / "fifty_branches.json").read_text()
        outputs = [self.file(f"{i:02}/output.json", text) for i in range(50)]
        done = self.course("-w", "csv", INPUT / "fifty_branches.json", *outputs)
        self.assertEqual(done.returncode, RIGHT, done.stdout)
        self.assertEqual(len(done.stdout.splitlines()), 51)


if __name__ == "__main__":
    unittest.main()

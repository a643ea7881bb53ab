#!/usr/bin/python3
"""tally.py counts every case once and loses no failure."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

TALLY = pathlib.Path(__file__).with_name("tally.py")


def gtest(*cases):
    return json.dumps({"testsuites": [{"name": "s", "testsuite": list(cases)}]})


RUN = {"status": "RUN", "result": "COMPLETED"}
GOOD, BAD = {**RUN, "name": "good"}, {**RUN, "name": "bad", "failures": [{"failure": "x"}]}
SKIPPED, DISABLED = {"status": "RUN", "result": "SKIPPED", "name": "s"}, {"status": "NOTRUN", "result": "SUPPRESSED", "name": "d"}
JUNIT = ('<testsuites><testsuite><testcase classname="c" name="good"/><testcase classname="c" name="s"><skipped/></testcase>'
         '<testcase classname="c" name="bad"><failure>x</failure></testcase></testsuite></testsuites>')


class TallyTest(unittest.TestCase):
    def tally(self, files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = pathlib.Path(folder) / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
            done = subprocess.run([sys.executable, TALLY, folder], capture_output=True, text=True, check=False)
            return done.returncode, done.stdout.splitlines()

    def test_cases_are_counted_and_failures_named(self):
        code, lines = self.tally({"unit/a_test.json": gtest(GOOD, BAD, SKIPPED, DISABLED), "unit/exit_code": "8\n",
                                  "system/pytest.xml": JUNIT, "system/exit_code": "1\n"})
        self.assertEqual((code, lines[-1]), (1, "2 passed, 2 failed"))
        self.assertIn("failed: unit: s.bad", lines)
        self.assertIn("failed: system: c.bad", lines)

    def test_a_stage_without_cases_is_one_check(self):
        self.assertEqual(self.tally({"format/exit_code": "0\n"}), (0, ["1 passed, 0 failed"]))
        self.assertEqual(self.tally({"format/exit_code": "1\n"})[1][-1], "0 passed, 1 failed")

    def test_a_crash_is_a_failure_although_no_case_failed(self):
        self.assertEqual(self.tally({"unit/a_test.json": gtest(GOOD), "unit/exit_code": "8\n"})[1][-1], "1 passed, 1 failed")
        self.assertEqual(self.tally({"unit/a_test.json": gtest(GOOD)})[1][-1], "1 passed, 1 failed")

    def test_nothing_at_all_is_no_success(self):
        self.assertEqual(self.tally({})[0], 1)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/python3
"""Adds up what ./dev test has done: `tally.py FOLDER` reads one folder per stage with GoogleTest's JSON, pytest's JUnit
XML and the stage's exit code, names what failed, and ends with the line "N passed, N failed". Exit 1 if anything failed.

A stage without results is one check. A stage that failed although none of its tests did (a crash, a time-out, a test
binary that never ran) counts as one failure more, so that nothing is lost."""

import json
import pathlib
import sys
import xml.etree.ElementTree as xml


def gtest_cases(path):
    """(name, passed) of each case; skipped ones count neither way."""
    for suite in json.loads(path.read_text(encoding="utf-8"))["testsuites"]:
        for case in suite["testsuite"]:
            if case.get("result") == "COMPLETED" and case.get("status") == "RUN":
                yield f"{suite['name']}.{case['name']}", not case.get("failures")


def junit_cases(path):
    for case in xml.parse(path).getroot().iter("testcase"):
        outcomes = {child.tag for child in case}
        if "skipped" not in outcomes:
            yield f"{case.get('classname')}.{case.get('name')}", not outcomes & {"failure", "error"}


def stage_cases(folder):
    cases = []
    for path in sorted(folder.glob("*.json")):
        cases += gtest_cases(path)
    for path in sorted(folder.glob("*.xml")):
        cases += junit_cases(path)
    code_file = folder / "exit_code"
    code = code_file.read_text().strip() if code_file.is_file() else "it never ended"
    if code != "0" and all(passed for _, passed in cases):
        cases.append((f"the stage itself (exit code {code})", False))
    elif not cases:
        cases.append(("the stage itself", True))
    return cases


def main():
    passed = failed = 0
    stages = sorted(p for p in pathlib.Path(sys.argv[1]).iterdir() if p.is_dir())
    for stage in stages:
        for name, good in stage_cases(stage):
            passed += good
            failed += not good
            if not good:
                print(f"failed: {stage.name}: {name}")
    print(f"{passed} passed, {failed} failed")
    return 0 if stages and not failed else 1


if __name__ == "__main__":
    sys.exit(main())

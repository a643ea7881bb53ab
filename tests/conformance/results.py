"""Reads what test runners write, as {test: outcome}. Outcomes: passed, failed, skipped."""

import json
import re
import xml.etree.ElementTree as xml


def worst(tests, name, outcome):
    """A test that runs twice, or in two phases, counts once, by its worst outcome."""
    order = ("skipped", "passed", "failed")
    tests[name] = max(tests.get(name, "skipped"), outcome, key=order.index)


def junit(path):
    """pytest, PHPUnit, mocha's xunit reporter."""
    tests = {}
    for case in xml.parse(path).iter("testcase"):
        outcome = "passed"
        if case.find("failure") is not None or case.find("error") is not None:
            outcome = "failed"
        elif case.find("skipped") is not None:
            outcome = "skipped"
        worst(tests, " ".join(filter(None, (case.get("classname"), case.get("name")))), outcome)
    return tests


def rspec(path):
    names = {"passed": "passed", "failed": "failed", "pending": "skipped"}
    tests = {}
    for case in json.loads(path.read_text())["examples"]:
        worst(tests, f"{case['file_path'].removeprefix('./')} {case['full_description']}", names[case["status"]])
    return tests


def go(path):
    """`go test -json`: one event per line. A test that began and said nothing more died with its process."""
    names = {"pass": "passed", "fail": "failed", "skip": "skipped"}
    tests = {}
    for line in path.read_text().splitlines():
        with_event = line.startswith("{")
        event = json.loads(line) if with_event else {}
        if not event.get("Test"):
            continue
        if event["Action"] == "run":
            tests.setdefault(event["Test"], "failed")
        elif event["Action"] in names:
            tests[event["Test"]] = names[event["Action"]]
    return tests


TAP = re.compile(r"^(?P<indent> *)(?P<bad>not )?ok\b\s*(?P<number>\d+)?\s*-?\s*(?P<name>[^#]*)(?P<directive>#.*)?$")


def tap(path):
    """`prove --verbose`: "file .." opens a file, "ok 1 - name" is a test; indented lines belong to subtests."""
    tests = {}
    file = ""
    for line in path.read_text(errors="replace").splitlines():
        if opened := re.match(r"^(\S+\.t) \.+", line):
            file = opened[1]
        elif (test := TAP.match(line)) and not test["indent"]:
            skip = "skip" in (test["directive"] or "").lower()
            outcome = "failed" if test["bad"] else "skipped" if skip else "passed"
            worst(tests, f"{file} {test['name'].strip() or test['number']}", outcome)
    return tests


def lines(path):
    """Our own small runners: "passed NAME", "failed NAME", "skipped NAME"."""
    tests = {}
    for line in path.read_text(errors="replace").splitlines():
        outcome, _, name = line.partition(" ")
        if outcome in ("passed", "failed", "skipped") and name:
            worst(tests, name, outcome)
    return tests

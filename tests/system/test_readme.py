"""The README's own commands, as they stand there: a first call, and the queue flow by command line alone."""

import os
import re
import shlex
import subprocess

from conftest import BINARY, DEADLINE_S, ROOT, Lines

README = (ROOT / "README.md").read_text()


def commands(heading):
    """The `switchboard …` lines below a heading, comments cut; `tail &` is the caller's to start."""
    section = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = re.findall(r"^    switchboard ([^#\n]*)", section, re.M)
    return [shlex.split(line) for line in lines if not line.startswith("tail")]


def in_any_order(tail, wanted):
    while wanted:
        line = tail.line(str(wanted), lambda line: any(w in line for w in wanted))
        wanted.remove(next(w for w in wanted if w in line))


def curls(heading):
    """Path and headers of the section's GETs by curl."""
    section = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = re.findall(r"^    curl -s localhost:8080(\S+) -H '([^']+)'", section, re.M)
    return [(path, dict([header.split(": ")])) for path, header in lines]


class Terminal:
    def __init__(self, node):
        self.environment = {"SWITCHBOARD_CONFIG": str(ROOT / "config/standalone.toml"),
                            "SWITCHBOARD_HTTP": f"http://127.0.0.1:{node.http}",
                            "SWITCHBOARD_ADMIN": f"http://127.0.0.1:{node.admin}",
                            "SWITCHBOARD_TOKEN": node.token("demo")}

    def run(self, arguments):
        done = subprocess.run([str(BINARY), *arguments], capture_output=True, text=True, timeout=DEADLINE_S,
                              env={**os.environ, **self.environment})
        assert done.returncode == 0, f"switchboard {shlex.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def tail(self):
        return Lines([str(BINARY), "tail"], env=self.environment)


def test_the_first_call(node):
    terminal = Terminal(node)
    tail = terminal.tail()
    try:
        tail.line("it says it is subscribed", lambda line: line)
        create, show, hangup = commands("A call in a minute")
        terminal.run(create)
        for event in ("call.created", "call.ringing", "call.answered"):
            tail.line(event, lambda line: event in line and "first" in line)
        assert "progressing" in terminal.run(show)
        terminal.run(hangup)
        tail.line("call.ended", lambda line: "call.ended" in line and "first" in line)
    finally:
        tail.stop()


def test_the_queue_flow(node):
    terminal = Terminal(node)
    tail = terminal.tail()
    try:
        tail.line("it says it is subscribed", lambda line: line)
        *setup, hangup = commands("A queue, by command line alone")
        for command in setup:
            terminal.run(command)
        for event in ("queue.caller_joined", "queue.offered", "queue.answered"):
            tail.line(event, lambda line: event in line)
        # The conference's events and the queue's own come from two actors: in any order among each other.
        wanted = ["queue.connected", "conference.participant_joined", "conference.participant_joined"]
        in_any_order(tail, wanted)
        (served, headers), (why, _) = curls("A queue, by command line alone")
        status, shown = node.request("GET", served, headers=headers)
        assert status == 200 and [(one["phase"], one["agent_id"]) for one in shown["result"]] == [("service", "ann")]
        status, shown = node.request("GET", why, headers=headers)
        assert status == 200 and shown["result"][0]["agent_id"] == "ann"
        terminal.run(hangup)
        wanted = ["queue.serviced", "queue.wrap_up"]
        in_any_order(tail, wanted)
        tail.line("the agent is back", lambda line: "agent.status_change" in line and "available" in line)
    finally:
        tail.stop()


def test_the_links_of_installed_documents_hold(tmp_path):
    done = subprocess.run(["cmake", "--install", str(BINARY.parent), "--prefix", str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "share/doc/switchboard").rglob("*.md"))
    assert len(pages) > 20
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()) if "://" not in link]
    assert len(links) > 40
    broken = [f"{page.relative_to(tmp_path)} -> {link}" for page, link in links if not (page.parent / link).exists()]
    assert not broken, "\n".join(broken)

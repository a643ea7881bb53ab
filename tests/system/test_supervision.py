"""What a node does with parts that fail it: a service that stops answering, a decision that blocks, an entity that
always fails. The plugin is tests/runtime/plugins/counter.cpp, which does on request what no plugin should."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pika.exceptions
import pytest
from conftest import BINARY, CUSTOMER, ROOT, SANITIZED, until


def metric(node, name):
    """The value of one line of /metrics; None if it is not there."""
    for line in node.request("GET", "/metrics", port=node.admin)[1].splitlines():
        if line.startswith(name + " "):
            return float(line.split()[-1])
    return None


def retry_after(node, path, body, timeout_ms):
    """(status, seconds of Retry-After or None, how long it took)."""
    asked = urllib.request.Request(f"http://127.0.0.1:{node.http}{path}", data=json.dumps(body).encode(), method="POST",
                                   headers={"Content-Type": "application/json", "X-Request-Timeout": str(timeout_ms)})
    began = time.monotonic()
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.status, answer.headers.get("Retry-After"), time.monotonic() - began
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers.get("Retry-After"), time.monotonic() - began


def test_a_worker_that_stops_answering_is_asked_by_one_probe_at_a_time(node, peer):
    worker = peer("worker.py", node.amqp, "campaign", "one")
    worker.json_line("ready", lambda v: v.get("ready"))
    ask = lambda: retry_after(node, "/v1/campaigns", {"n": 1}, 1000)
    assert ask()[0] == 200
    os.kill(worker.process.pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(5) as pool:
            assert [r[0] for r in pool.map(lambda _: ask(), range(5))] == [504] * 5
        status, after, took = ask()
        assert status == 503 and 1 <= int(after) <= 30 and took < 0.5, (status, after, took)
        assert metric(node, 'switchboard_circuit_open{service="campaign"}') == 1
        node.lines.line("the log says so", lambda line: "circuit_open" in line and "campaign" in line)
        # An answer that says "error" is an answer, and other services are asked as ever.
        assert node.request("GET", "/v1/calls/none")[0] == 404
    finally:
        os.kill(worker.process.pid, signal.SIGCONT)
    until("a probe, or a late answer, closes it", lambda: ask()[0] == 200)
    assert metric(node, 'switchboard_circuit_open{service="campaign"}') == 0
    node.lines.line("the log says so", lambda line: "circuit_closed" in line and "campaign" in line)


# -- decisions that misbehave -----------------------------------------------------------------------------------------

@pytest.fixture
def counters(new_node):
    def start(*settings):
        return new_node(f"node.plugins_dir={BINARY.parent / 'test_plugins'}", "node.plugins=counter", *settings).start()

    return start


def act(node, counter, what, body=None, timeout_ms=20_000):
    return node.request("POST", f"/v1/counters/{counter}/{what}", body or {},
                        {"X-Customer-Id": CUSTOMER, "X-Request-Timeout": str(timeout_ms)})


def create(node, counter):
    status, body = node.request("POST", "/v1/counters", {"id": counter}, {"X-Customer-Id": CUSTOMER})
    assert status == 200, body


def test_a_decision_that_blocks_is_logged_while_it_blocks_and_when_it_ends(counters):
    node = counters("node.handler_max=100ms", "node.worker_threads=2")
    create(node, "a")
    create(node, "b")
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(act, node, "a", "block", {"ms": 1500})
        line = node.lines.line("running", lambda line: "handler_slow" in line and "running" in line)
        assert "actor=/entities/counter/a" in line and "message=POST" in line
        assert not asked.done()
        assert act(node, "b", "add")[1]["value"] == 1, "the others go on meanwhile"
        line = node.lines.line("ended", lambda line: "handler_slow" in line and "ended" in line)
        took = int(line.split("ms=")[1].split()[0])
        assert 1400 <= took < 10_000, line
        assert asked.result()[0] == 200
    assert metric(node, 'switchboard_handlers_slow_total{kind="entity"}') == 1


def test_an_entity_that_always_fails_is_parked_and_the_node_serves_on(counters):
    node = counters()
    create(node, "bad")
    create(node, "good")
    began = time.monotonic()
    statuses = []
    while 503 not in statuses:
        statuses.append(act(node, "bad", "fail")[0])
        assert time.monotonic() < began + 10, statuses
    assert set(statuses[:-1]) == {500}
    assert act(node, "bad", "add")[0] == 503
    assert act(node, "good", "add")[0] == 200
    assert metric(node, 'switchboard_actor_parked_total{kind="entity"}') == 1


# -- stopping ---------------------------------------------------------------------------------------------------------

def test_a_stop_finishes_what_is_at_work(counters):
    node = counters()
    create(node, "a")
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(act, node, "a", "block", {"ms": 1000})
        until("it is at work", lambda: any(r["path"] == "/entities/counter/a" and r["mailbox"] > 0 for r in
                                           node.request("GET", "/api/actors?prefix=/entities", port=node.admin)[1]["actors"]))
        assert node.stop() == 0
        assert asked.result()[0] == 200


def test_a_stop_names_who_blocks_and_ends_all_the_same(counters):
    node = counters("shutdown.deadline=3s")
    for name in ("a", "b", "c"):
        create(node, name)

    def block():
        with contextlib.suppress(OSError, http.client.HTTPException):  # no answer comes
            act(node, "b", "block", {"ms": 3_600_000})

    threading.Thread(target=block, daemon=True).start()
    node.lines.line("it blocks", lambda line: "handler_slow" in line)
    began = time.monotonic()
    node.lines.process.send_signal(signal.SIGTERM)
    line = node.lines.line("who", lambda line: "shutdown_blocked" in line)
    assert "who=/entities/counter/b" in line and "counter/a" not in line, line
    assert node.lines.process.wait(20) == 1
    assert time.monotonic() - began < 3 + 1.5
    node.killed = True  # ended as it should, but not with 0
    node.start()
    assert act(node, "a", "add")[1]["value"] == 1, "and nothing is lost"


def test_a_stop_closes_every_connection_in_its_own_way(node, peer):
    amqp = node.pika()
    amqp.channel().queue_declare("q")
    watcher = peer("ws_subscriber.js", node.http, node.token(CUSTOMER), f"customer_id:{CUSTOMER}:call:*")
    watcher.json_line("subscribed", lambda v: v.get("frame", {}).get("type") == "subscribed")
    node.lines.process.send_signal(signal.SIGTERM)
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as closed:
        amqp.process_data_events(20)
    assert closed.value.reply_code == 320
    assert watcher.json_line("closed", lambda v: "closed" in v)["closed"] == 1001
    assert node.lines.process.wait(20) == 0


# -- short forms of tests/faults; the long ones give the figures -----------------------------------------------------------

def fault(program, *arguments):
    done = subprocess.run([sys.executable, str(ROOT / "tests/faults" / program), *map(str, arguments)], text=True,
                          capture_output=True, timeout=150, env={**os.environ, "SWITCHBOARD_BINARY": str(BINARY)})
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_no_request_is_lost_or_done_twice_over_orderly_restarts():
    seen = fault("drain.py", "--restarts", 3, "--rate", 20 if SANITIZED else 100)
    assert seen["requests"] > 50 and seen["connects"] == 4


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's figures say nothing about the node")
def test_five_times_too_much_leaves_the_node_useful_and_in_control():
    seen = fault("overload.py", "--seconds", 8, "--work-ms", 5, "--times", 5, "--deadline", 1.5, "--clients", 2,
                 "--share-min", 0.5, "--control-ms-max", 2000)
    assert seen["answered"].get("503", 0) > 0, "what could not be served was told so"


def test_an_entity_that_fails_on_every_message_does_not_disturb_the_others():
    fault("poison.py", "--seconds", 2, "--pairs", 1, "--rate", 50, "--ratio-max", 50)

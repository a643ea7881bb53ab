"""Hot upgrade and time travel on a node: another version of the call takes over while 500 calls are live and asked for
things, and gives them back; no call is dropped, no request fails, each call's events are in order. The second version is
tests/runtime/plugins/call_next.cpp: the same decisions, its state in another form."""

import collections
import json
import shutil
import threading
import time

import pika
import pytest
from conftest import BINARY, CUSTOMER, SANITIZED, until

VERSIONS = BINARY.parent / "test_plugins"
CALLS = 100 if SANITIZED else 500
FAR_END = "+15559876543"  # rings, answers, stays


class Events(threading.Thread):
    """All of call.events, by call."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.connection = node.pika()
        self.channel = self.connection.channel()
        queue = self.channel.queue_declare("", exclusive=True).method.queue
        self.channel.queue_bind(queue, "call.events")
        self.channel.basic_consume(queue, self._on_event, auto_ack=True)
        self.of = collections.defaultdict(list)
        self.ending = False
        self.start()

    def _on_event(self, channel, method, properties, body):
        fact = json.loads(body)
        self.of[fact["resource_id"]].append((fact["event_type"], fact["data"]))

    def run(self):
        while not self.ending:
            self.connection.process_data_events(time_limit=0.1)
        self.connection.close()

    def types(self, call):
        return [kind for kind, _ in list(self.of[call])]


class Asker:
    """Requests by AMQP, many in flight; every answer that isn't 200 is kept."""

    def __init__(self, node):
        self.connection = node.pika()
        self.channel = self.connection.channel()
        self.channel.basic_consume("amq.rabbitmq.reply-to", self._on_reply, auto_ack=True)
        self.asked, self.answered, self.bad = 0, 0, []

    def _on_reply(self, channel, method, properties, body):
        self.answered += 1
        answer = json.loads(body)
        if answer["status_code"] != 200:
            self.bad.append(answer)

    def ask(self, method, route, body=None):
        self.asked += 1
        envelope = {"message_id": f"upgrade-{id(self)}-{self.asked}", "timestamp": "2026-01-20T12:00:00.000Z", "route": route,
                    "method": method, "headers": {"customer_id": CUSTOMER}, "body": body}
        self.channel.basic_publish("", "bin-manager.call.request", json.dumps(envelope).encode(),
                                   pika.BasicProperties(reply_to="amq.rabbitmq.reply-to", delivery_mode=2,
                                                        correlation_id=str(self.asked)))

    def settle(self, left=0, deadline_s=60):
        end = time.monotonic() + deadline_s
        while self.asked - self.answered > left:
            assert time.monotonic() < end, f"{self.asked - self.answered} of {self.asked} requests got no answer"
            self.connection.process_data_events(time_limit=0.2)


def plugin_rows(node, name="call"):
    status, body = node.request("GET", "/api/plugins", port=node.admin)
    assert status == 200, body
    return {row["version"]: row for row in body["plugins"] if row["plugin"] == name}


def live(node, version):
    return plugin_rows(node)[version]["types"][0]["live"]


@pytest.fixture
def upgradable(new_node):
    if not (VERSIONS / "call_next.so").exists():
        pytest.skip("the test plugins are not built")
    return new_node(f"node.plugin_folders={VERSIONS}", "plugin.loopback_trunk.ring_ms=200").start()


def test_calls_go_over_to_another_version_and_back_and_none_is_dropped(upgradable):
    node = upgradable
    events, asker = Events(node), Asker(node)
    calls = [f"live-{i}" for i in range(CALLS)]
    for call in calls:
        asker.ask("POST", "/v1/calls", {"id": call, "source": {"type": "tel", "target": "+15551234567"},
                                        "destinations": [{"type": "tel", "target": FAR_END}]})
    asker.settle()
    until("all calls are answered", lambda: sum("call.answered" in events.types(c) for c in calls) == CALLS, 60)

    switching, problems = threading.Event(), []

    def switch():
        try:
            for _ in range(2):
                said = node.cli("plugin", "load", str(VERSIONS / "call_next.so"), "--json")
                assert json.loads(said.stdout)["before"] == "2.0.0", said.stdout
                until("all calls are with the second version",
                      lambda: live(node, "3.0.0") >= CALLS and live(node, "2.0.0") == 0, 60)
                node.cli("plugin", "rollback", "call")
                until("all calls are with the first version",
                      lambda: live(node, "2.0.0") >= CALLS and live(node, "3.0.0") == 0, 60)
        except BaseException as problem:
            problems.append(problem)
        switching.set()

    changes = threading.Thread(target=switch)
    changes.start()
    rounds = 0
    while not switching.is_set() or rounds < 4:
        for call in calls:
            asker.ask("POST" if rounds % 2 == 0 else "DELETE", f"/v1/calls/{call}/hold")
            if asker.asked % 50 == 0:
                asker.settle(left=200)
        asker.settle()  # a call's requests are asked one after the other
        rounds += 1
    changes.join()
    assert not problems, problems[0]
    assert asker.bad == [], asker.bad[:3]

    for call in calls:
        asker.ask("POST", f"/v1/calls/{call}/hangup")
    asker.settle()
    assert asker.bad == [], asker.bad[:3]
    until("each call has ended", lambda: sum("call.ended" in events.types(c) for c in calls) == CALLS, 60)
    events.ending = True
    events.join()
    for call in calls:
        types = events.types(call)
        expected = ["call.created", "call.ringing", "call.answered", *["call.updated"] * rounds, "call.ended"]
        assert [t for t in types if t in expected] == expected, (call, types)
        held = [data["held"] for kind, data in events.of[call] if kind == "call.updated"]
        assert held == [turn % 2 == 0 for turn in range(rounds)], (call, held)
    rows = plugin_rows(node)
    assert rows["2.0.0"]["types"][0]["failed"] == rows["3.0.0"]["types"][0]["failed"] == 0, rows
    assert rows["3.0.0"]["types"][0]["decided"] > CALLS, "the second version has decided"
    assert node.request("GET", "/api/plugins", port=node.admin)[1]["not_moved_count"] == 0
    # Every decision of every version, once more.
    for call in calls[:20]:
        again = json.loads(node.cli("history", "call", call, "--replay", "--json").stdout)
        assert again["verified"] == again["lines"] >= rounds + 3 and again["is_stored_state"], again


def test_what_may_not_be_loaded_is_refused_with_the_reason(upgradable, tmp_path):
    node = upgradable
    shutil.copy(VERSIONS / "call_next.so", tmp_path / "call_next.so")
    said = node.cli("plugin", "load", str(tmp_path / "call_next.so"), check=False)
    assert said.returncode == 1 and "node.plugin_folders" in said.stderr, said
    said = node.cli("plugin", "rollback", "call", check=False)
    assert said.returncode == 1 and "served before 2.0.0" in said.stderr, said
    assert node.request("POST", "/api/plugins", {"file": "x"}, port=node.admin)[0] == 400
    assert node.request("PUT", "/api/plugins", {}, port=node.admin)[0] == 405
    # A page elsewhere whose name leads here.
    status, _ = node.request("POST", "/api/plugins", {"path": "call.so"}, {"Host": "evil.example"}, port=node.admin)
    assert status == 401
    assert node.request("GET", "/api/entities/call/x/history", None, {"Host": "evil.example"}, port=node.admin)[0] == 401


def test_the_history_of_a_call_by_command_line_and_http(upgradable, rpc):
    node = upgradable
    node.cli("call", "create", "--id", "first", "--from", "+15551234567", "--to", FAR_END)
    until("it is answered", lambda: json.loads(node.cli("call", "show", "first", "--json").stdout)["status"] == "progressing")
    node.cli("call", "hangup", "first")
    until("it has ended", lambda: json.loads(node.cli("call", "show", "first", "--json").stdout)["status"] == "hangup")
    text = node.cli("history", "call", "first").stdout
    assert "request POST /v1/calls -> 200" in text and "/status=progressing" in text, text
    assert "diverged" not in text and "unknown" not in text, text
    status, page = node.request("GET", "/api/entities/call/first/history?limit=2", port=node.admin)
    assert status == 200 and len(page["history"]) == 2 and all(line["replay"] == "verified" for line in page["history"])
    status, rest = node.request("GET", f"/api/entities/call/first/history?after={page['next']}&states=1", port=node.admin)
    assert status == 200 and rest["history"][0]["number"] == 3
    assert rest["history"][-1]["value"]["status"] == "hangup", rest["history"][-1]
    # A crash changes nothing of it.
    before = node.request("GET", "/api/entities/call/first/history", port=node.admin)[1]
    node.kill()
    node.start()
    assert node.request("GET", "/api/entities/call/first/history", port=node.admin)[1] == before
    again = json.loads(node.cli("history", "call", "first", "--replay", "--json").stdout)
    assert again["verified"] == again["lines"] and again["is_stored_state"], again
    until_second = node.request("GET", f"/api/entities/call/first/history?replay=1&until={page['next']}", port=node.admin)[1]
    assert until_second["lines"] == 2 and until_second["hash"] == page["history"][1]["state"]["hash"]
    assert node.request("GET", "/api/entities/call/nobody/history", port=node.admin)[0] == 404
    assert node.request("GET", "/api/entities/call/first/history?limit=0", port=node.admin)[0] == 400


def test_a_start_with_the_older_file_says_that_there_are_newer_states(new_node):
    node = new_node(f"node.plugins_dir={VERSIONS}", "node.plugins=counter").start()
    mine = {"X-Customer-Id": CUSTOMER}
    for name in ("a", "b"):
        assert node.request("POST", "/v1/counters", {"id": name}, mine)[0] == 200
    node.cli("plugin", "load", "counter_one_way")
    assert node.request("POST", "/v1/counters/a/add", {}, mine)[0] == 200
    assert node.stop() == 0
    node.start()
    warned = [line for line in node.lines.seen if "states_newer" in line]
    assert len(warned) == 1 and "type=counter" in warned[0] and "count=1" in warned[0] and "looked_at=2" in warned[0], node.lines.seen
    assert node.request("POST", "/v1/counters/a/add", {}, mine)[0] == 500
    assert node.request("POST", "/v1/counters/b/add", {}, mine)[0] == 200
    node.cli("plugin", "load", "counter_one_way")
    assert node.request("POST", "/v1/counters/a/add", {}, mine)[0] == 200

"""The main job: a call placed by an AMQP client is seen on every wire and survives a crash. No peer here is ours."""

import json
import subprocess
import time

from conftest import CUSTOMER, OTHER_CUSTOMER, SANITIZED, until

ANSWERS = "+15559876543"        # the loopback trunk's far end answers and stays
ANSWERS_FOR_3_S = "+15559870103"  # … answers and hangs up after 3 s
LIFE = ["call.created", "call.ringing", "call.answered", "call.ended"]


def place(caller, number=ANSWERS, **options):
    answer = caller("call", "POST", "/v1/calls",
                    {"source": {"type": "tel", "target": "+15551234567"},
                     "destinations": [{"type": "tel", "target": number}]}, **options)
    assert answer["status_code"] == 200, answer
    return answer["body"]


def test_a_call_is_seen_on_every_wire(node, peer, rpc):
    amqplib = peer("amqplib_subscriber.js", node.amqp, "call.events", "billing.call.events")
    amqplib.json_line("amqplib consumes", lambda v: "consuming" in v)
    pyzmq = peer("zmq_subscriber.py", node.zmq, "call.")
    pyzmq.json_line("pyzmq is connected", lambda v: "connected" in v)
    mine = peer("ws_subscriber.js", node.http, node.token(CUSTOMER), f"customer_id:{CUSTOMER}:call:*")
    mine.json_line("subscribed", lambda v: v.get("frame", {}).get("type") == "subscribed")
    other = peer("ws_subscriber.js", node.http, node.token(OTHER_CUSTOMER), f"customer_id:{CUSTOMER}:call:*")
    refusal = other.json_line("refused", lambda v: v.get("frame", {}).get("type") == "error")
    assert refusal["frame"]["code"] == 403

    caller = rpc(node)
    call = place(caller)
    status, same = node.request("GET", f"/v1/calls/{call['id']}", headers={"X-Customer-Id": CUSTOMER})
    assert status == 200 and same["id"] == call["id"]
    events = [amqplib.json_line("an event", lambda v: v.get("resource_id") == call["id"]) for _ in range(3)]
    assert [e["event_type"] for e in events] == LIFE[:3]

    assert caller("call", "POST", f"/v1/calls/{call['id']}/hangup")["status_code"] == 200
    events.append(amqplib.json_line("the end", lambda v: v.get("resource_id") == call["id"]))
    assert events[3]["event_type"] == "call.ended"
    assert all(e["persistent"] and not e["redelivered"] and e["customer_id"] == CUSTOMER for e in events)
    assert len({e["event_id"] for e in events}) == 4

    pushed = [mine.json_line("a push", lambda v: "event" in v.get("frame", {}))["frame"] for _ in range(4)]
    assert [p["event"] for p in pushed] == LIFE
    assert all(p["resource_id"] == call["id"] for p in pushed)
    states = []
    while "ended" not in states:
        heard = pyzmq.json_line("call.state", lambda v: v["topic"] == "call.state")
        assert heard["frames"] == 2 and heard["body"]["call_id"] == call["id"]
        states.append(heard["body"]["status"])
    assert states[-3:] == ["ringing", "answered", "ended"]
    assert not [line for line in other.seen if "event" in json.loads(line).get("frame", {})], "a tenant saw another's call"

    # curl, as a person would; and the page that Prometheus scrapes.
    shown = subprocess.run(["curl", "-sS", "-H", f"Authorization: Bearer {node.token(CUSTOMER)}",
                            f"http://127.0.0.1:{node.http}/v1/calls/{call['id']}"], capture_output=True, text=True)
    assert json.loads(shown.stdout)["id"] == call["id"] and json.loads(shown.stdout)["status"] == "hangup"
    status, page = node.request("GET", "/metrics", port=node.admin)
    assert status == 200
    for kind in LIFE:
        assert f'switchboard_events_total{{type="{kind}"}} 1' in page
    linted = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_another_tenants_token_does_not_see_the_call(node, rpc):
    call = place(rpc(node))
    status, _ = node.request("GET", f"/v1/calls/{call['id']}",
                             headers={"Authorization": f"Bearer {node.token(OTHER_CUSTOMER)}"})
    assert status == 404


def test_a_call_survives_a_crash(node, peer, rpc):
    peer("amqplib_subscriber.js", node.amqp, "call.events", "billing.call.events", "bind-only").json_line(
        "bound", lambda v: "bound" in v)
    caller = rpc(node)
    ids = {"message_id": "0b0e2a36-1f1a-4d86-9d0e-6a0b8f7f2c11"}
    first_answer = caller.call("call", "POST", "/v1/calls",
                               {"source": {"type": "tel", "target": "+15551234567"},
                                "destinations": [{"type": "tel", "target": ANSWERS_FOR_3_S}]}, **ids)
    call = json.loads(first_answer)["body"]
    show = lambda: node.request("GET", f"/v1/calls/{call['id']}")[1]
    until("the call is answered", lambda: show().get("status") == "progressing")

    node.kill()
    began = time.monotonic()
    node.start()

    assert show()["status"] == "progressing", "the call is still answered"
    again = rpc(node)
    repeated = again.call("call", "POST", "/v1/calls",
                          {"source": {"type": "tel", "target": "+15551234567"},
                           "destinations": [{"type": "tel", "target": ANSWERS_FOR_3_S}]}, **ids)
    assert repeated == first_answer, "a repeated message_id gets the same reply, byte for byte"

    amqplib = peer("amqplib_subscriber.js", node.amqp, "call.events", "billing.call.events")
    events = []
    while not events or events[-1]["event_type"] != "call.ended":
        events.append(amqplib.json_line("an event", lambda v: "event_type" in v))
    took = time.monotonic() - began
    assert [e["event_type"] for e in events] == LIFE, "each once, in order, and the hang-up timer was still armed"
    assert {e["resource_id"] for e in events} == {call["id"]}
    assert took < 10
    assert show()["status"] == "hangup"


def test_a_node_is_ready_within_a_second_and_stops_when_asked(new_node):
    node = new_node().start()
    assert node.ready_s < (10.0 if SANITIZED else 1.0)
    text = "\n".join(node.lines.seen)
    for address in (f"amqp://localhost:{node.amqp}", f"tcp://127.0.0.1:{node.zmq}", f"http://127.0.0.1:{node.http}",
                    f"http://127.0.0.1:{node.admin}"):
        assert address in text
    assert node.request("GET", "/healthz", port=node.admin)[0] == 200
    assert node.request("GET", "/readyz", port=node.admin)[0] == 200
    assert node.stop() == 0

"""Several calls at once, on a real node over HTTP and AMQP: a transfer, a group call, and the record of each call."""

import json

from conftest import CUSTOMER, until

ANSWERS, BUSY = "+15559876543", "+15559870200"


def test_a_transfer_and_a_group_call_and_their_records(node, peer):
    records = peer("amqplib_subscriber.js", node.amqp, "call.events", "test.call.records")
    records.json_line("amqplib consumes", lambda v: "consuming" in v)

    def ask(method, route, body=None):
        status, answer = node.request(method, route, body=body, headers={"X-Customer-Id": CUSTOMER})
        assert status == 200, answer
        return answer

    def show(call):
        return ask("GET", f"/v1/calls/{call}")

    def answered(number=ANSWERS):
        call = ask("POST", "/v1/calls", {"source": "+15551234567", "destination": number})["id"]
        until("it is answered", lambda: show(call)["status"] == "progressing")
        return call

    # A group call: the busy one drops out, one of the two others wins.
    group = ask("POST", "/v1/calls", {"source": "+15551234567", "destinations": [BUSY, ANSWERS, ANSWERS]})["groupcalls"][0]["id"]
    # It comes to be by the call's message, a moment after the answer.
    until("it is there", lambda: node.request("GET", f"/v1/groupcalls/{group}", headers={"X-Customer-Id": CUSTOMER})[0] == 200)
    until("somebody won", lambda: ask("GET", f"/v1/groupcalls/{group}")["answer_call_id"])
    until("the others are gone", lambda: ask("GET", f"/v1/groupcalls/{group}")["call_count"] == 1)
    shown = ask("GET", f"/v1/groupcalls/{group}")
    assert sorted(one["status"] for one in shown["calls"]) == ["gone", "gone", "winner"]

    # Its winner is bridged to another call and transferred, first to a busy number, then to one that answers.
    transferee, transferer = shown["answer_call_id"], answered()
    ask("POST", f"/v1/calls/{transferer}/bridge", {"call_id": transferee})
    until("they talk", lambda: show(transferee).get("bridged_call_id") == transferer)
    ask("POST", f"/v1/calls/{transferer}/transfer", {"destination": BUSY})
    until("it failed", lambda: "transfer" not in show(transferer))
    assert show(transferee)["bridged_call_id"] == transferer
    ask("POST", f"/v1/calls/{transferer}/transfer", {"destination": ANSWERS})
    until("the transferer is let go", lambda: show(transferer)["status"] == "hangup")
    target = show(transferee)["bridged_call_id"]
    assert target not in (transferer, transferee) and show(target)["bridged_call_id"] == transferee

    ask("POST", f"/v1/calls/{target}/hangup")
    until("both are over", lambda: show(transferee)["status"] == show(target)["status"] == "hangup")
    until("so is the group call", lambda: ask("GET", f"/v1/groupcalls/{group}")["status"] == "hangup")

    seen = {}
    while len(seen) < 6:  # three of the group, the transferer, the busy number, the target
        event = records.json_line("a record", lambda v: v.get("event_type") == "call.record")
        assert event["resource_id"] not in seen, "two records of one call"
        seen[event["resource_id"]] = event
    assert {transferee, transferer, target} <= set(seen)


def test_the_record_names_the_end(node, rpc, peer):
    tail = peer("amqplib_subscriber.js", node.amqp, "call.events", "test.call.records")
    tail.json_line("amqplib consumes", lambda v: "consuming" in v)
    answer = rpc(node)("call", "POST", "/v1/calls", {"source": "+15551234567", "destination": BUSY})
    ended = tail.json_line("the end", lambda v: v.get("event_type") == "call.ended")
    record = tail.json_line("the record", lambda v: v.get("event_type") == "call.record")
    assert ended["resource_id"] == record["resource_id"] == answer["body"]["id"]
    status, shown = node.request("GET", f"/v1/calls/{answer['body']['id']}", headers={"X-Customer-Id": CUSTOMER})
    assert status == 200 and shown["hangup_reason"] == "busy", json.dumps(shown)

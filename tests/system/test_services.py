"""The services around calls on a real node, by AMQP, HTTP and WebSocket: messages, billing, transcriptions, chats."""

from conftest import CUSTOMER, OTHER_CUSTOMER, until


def send(caller, number, text="hello", **options):
    answer = caller("message", "POST", "/v1/messages",
                    {"source": "+15551234567", "destinations": [{"type": "tel", "target": number}], "text": text},
                    **options)
    assert answer["status_code"] == 200, answer
    return answer["body"]


def show(node, route, customer=CUSTOMER):
    return node.request("GET", route, headers={"X-Customer-Id": customer})


def watch(node, peer, *topics, agent=None):
    """A browser's WebSocket that has subscribed; call .json_line(...) for the next push."""
    token = node.token(CUSTOMER, *(["--agent", agent] if agent else []))
    browser = peer("ws_subscriber.js", node.http, token, *topics)
    browser.json_line("subscribed", lambda v: v.get("frame", {}).get("type") == "subscribed")
    return browser


def next_push(browser, event):
    return browser.json_line(event, lambda v: v.get("frame", {}).get("event") == event)["frame"]


def test_a_text_message_is_sent_and_delivered(node, peer, rpc):
    browser = watch(node, peer, f"customer_id:{CUSTOMER}:sms")
    inbox = watch(node, peer, f"customer_id:{CUSTOMER}:sms")
    amqplib = peer("amqplib_subscriber.js", node.amqp, "sms.events", "billing.sms.events")
    amqplib.json_line("amqplib consumes", lambda v: "consuming" in v)
    caller = rpc(node)
    made = send(caller, "+15559870600", message_id="c1bb7c35-5d38-4a9e-9a9a-0d0d9f0a6a01")
    assert made["segments"] == 1 and made["targets"][0]["status"] == "queued"
    again = send(caller, "+15559870600", message_id="c1bb7c35-5d38-4a9e-9a9a-0d0d9f0a6a01")
    assert again["id"] == made["id"], "asked twice, sent once"
    for event in ("sms.sent", "sms.delivered"):
        assert next_push(browser, event)["data"]["target_id"] == made["id"] + ".1"
        heard = amqplib.json_line(event, lambda v: v.get("event_type") == event)
        assert heard["resource_id"] == made["id"] and heard["customer_id"] == CUSTOMER
    status, shown = show(node, f"/v1/messages/{made['id']}")
    assert status == 200 and shown["targets"][0]["status"] == "delivered" and shown["simulated"]
    answer = next_push(inbox, "sms.received")  # of another message, so in no order with the above
    status, received = show(node, f"/v1/messages/{answer['resource_id']}")
    assert received["direction"] == "inbound" and received["text"] == "hello"
    assert show(node, f"/v1/messages/{made['id']}", OTHER_CUSTOMER)[0] == 404


def test_a_wrong_number_is_the_callers_error(node, rpc):
    caller = rpc(node)
    answer = caller("message", "POST", "/v1/messages", {"source": "+15551234567", "destinations": ["5559876543"], "text": "x"})
    assert answer["status_code"] == 400 and "destinations[0]" in str(answer)


def make_account(node, balance, **more):
    status, account = node.request("POST", "/v1/billing_accounts", {
        "id": CUSTOMER, "balance_micro": balance,
        "rates": [{"prefix": "+1555", "price_micro": 60_000, "increment_s": 1},
                  {"kind": "sms", "prefix": "", "price_micro": 7_500}], **more})
    assert status == 200, account
    return account


def place(caller, number):
    answer = caller("call", "POST", "/v1/calls", {"source": "+15551234567", "destinations": [number]})
    assert answer["status_code"] == 200, answer
    return answer["body"]["id"]


def test_calls_and_messages_are_billed(node, peer, rpc):
    browser = watch(node, peer, f"customer_id:{CUSTOMER}:billing", f"customer_id:{CUSTOMER}:account")
    make_account(node, 1_000_000)
    caller = rpc(node)
    call = place(caller, "+15559870102")  # talks for 2 s
    opened = next_push(browser, "billing.created")
    assert opened["resource_id"] == call and opened["data"]["status"] == "open"
    settled = next_push(browser, "billing.updated")["data"]
    assert settled["status"] == "settled" and settled["rated_s"] in (2, 3)
    assert settled["amount_micro"] == 1000 * settled["rated_s"]
    text = send(caller, "+15559876543")
    sms = next_push(browser, "billing.updated")["data"]
    assert sms["id"] == text["id"] + ".1" and sms["amount_micro"] == 7_500
    _, account = show(node, f"/v1/billing_accounts/{CUSTOMER}")
    assert account["balance_micro"] == 1_000_000 - settled["amount_micro"] - 7_500
    assert account["reserved_micro"] == 0
    assert len(show(node, "/v1/billings")[1]["result"]) == 2
    assert show(node, f"/v1/billing_accounts/{CUSTOMER}", OTHER_CUSTOMER)[0] == 404


def test_insufficient_balance_is_a_business_error_that_stops_a_call(node, peer, rpc):
    browser = watch(node, peer, f"customer_id:{CUSTOMER}:account", f"customer_id:{CUSTOMER}:call")
    make_account(node, 2_000)  # two seconds
    caller = rpc(node)
    call = place(caller, "+15559876543")  # would talk for ever
    ended = next_push(browser, "call.ended")
    assert ended["resource_id"] == call and ended["data"]["hangup_reason"] == "insufficient_balance"
    until("all is taken", lambda: show(node, f"/v1/billing_accounts/{CUSTOMER}")[1]["balance_micro"] == 0)
    refused = caller("billing", "POST", f"/v1/billing_accounts/{CUSTOMER}/check", {"destination": "+15559876543"})
    assert refused["status_code"] == 402 and refused["error"]["status"] == "PAYMENT_REQUIRED", refused
    status, answer = node.request("GET", f"/v1/billing_accounts/{CUSTOMER}/check?destination=%2B15559876543",
                                  headers={"X-Customer-Id": CUSTOMER})
    assert status == 402, answer
    # Nobody fills his own purse; the operator does, and then it works again.
    status, _ = node.request("PUT", f"/v1/billing_accounts/{CUSTOMER}", {"add_micro": 9_000},
                             headers={"Authorization": f"Bearer {node.token(CUSTOMER)}"})
    assert status == 403
    done = node.cli("request", "PUT", f"/v1/billing_accounts/{CUSTOMER}", '{"add_micro":9000}', "--json")
    assert '"balance_micro":9000' in done.stdout.replace(" ", "")
    assert caller("billing", "POST", f"/v1/billing_accounts/{CUSTOMER}/check",
                  {"destination": "+15559876543"})["status_code"] == 200


def test_a_bill_survives_a_crash(node, rpc):
    make_account(node, 1_000_000)
    call = place(rpc(node), "+15559870104")  # talks for 4 s
    until("it is paid ahead", lambda: show(node, f"/v1/billing_accounts/{CUSTOMER}")[1]["reserved_micro"] > 0)
    node.kill()
    node.start()
    bill = until("it is settled", lambda: (lambda b: b if b.get("status") == "settled" else None)(
        show(node, f"/v1/billings/{call}")[1]))
    _, account = show(node, f"/v1/billing_accounts/{CUSTOMER}")
    assert account["balance_micro"] == 1_000_000 - bill["amount_micro"] and account["reserved_micro"] == 0
    assert account["charged_micro"] == bill["amount_micro"] > 0


def test_a_call_is_transcribed_from_its_answer_to_its_end(node, peer, rpc):
    browser = watch(node, peer, f"customer_id:{CUSTOMER}:transcribe", f"customer_id:{CUSTOMER}:transcript")
    caller = rpc(node)
    call = place(caller, "+15559870106")  # talks for 6 s
    made = caller("transcribe", "POST", "/v1/transcribes", {"reference_type": "call", "reference_id": call})["body"]
    foreign = caller("transcribe", "POST", "/v1/transcribes", {"reference_type": "call", "reference_id": call},
                     headers={"customer_id": OTHER_CUSTOMER})["body"]
    assert made["status"] == "starting"
    assert next_push(browser, "transcribe.started")["resource_id"] == made["id"]
    piece = next_push(browser, "transcript.created")
    assert piece["resource_id"] == made["id"] and piece["data"]["reference_id"] == call and piece["data"]["message"]
    over = next_push(browser, "transcribe.completed")["data"]
    assert over["id"] == made["id"] and over["reason"] == "call_ended" and over["transcript_count"] >= 2
    _, shown = show(node, f"/v1/transcribes/{made['id']}/transcripts")
    assert len(shown["result"]) == over["transcript_count"]
    _, refused = show(node, f"/v1/transcribes/{foreign['id']}", OTHER_CUSTOMER)
    assert refused["status"] == "done" and refused["reason"] == "not_found", "nobody listens to another tenant's call"


def test_agents_chat_and_nobody_else_reads_it(node, peer, rpc):
    caller = rpc(node)
    chat = caller("talk", "POST", "/v1/chats", {"name": "Shift", "participant_ids": ["ann", "bob"]})["body"]
    ann = watch(node, peer, "agent_id:ann", agent="ann")
    bob = watch(node, peer, "agent_id:bob:chatmessage", agent="bob")
    eve = watch(node, peer, "agent_id:eve", agent="eve")
    tokens = {name: {"Authorization": f"Bearer {node.token(CUSTOMER, '--agent', name)}"} for name in ("ann", "bob", "eve")}
    route = f"/v1/chats/{chat['id']}/messages"
    status, hello = node.request("POST", route, {"text": "hello"}, tokens["ann"])
    assert status == 200 and hello["agent_id"] == "ann"
    for browser in (ann, bob):
        heard = next_push(browser, "chatmessage.created")
        assert heard["resource_id"] == chat["id"] and heard["data"]["text"] == "hello"
    assert node.request("GET", route, headers=tokens["eve"])[0] == 404
    assert node.request("POST", route, {"text": "x", "agent_id": "ann"}, tokens["bob"])[0] == 403
    status, _ = node.request("POST", f"{route}/{hello['id']}/reactions", {"emoji": "\N{THUMBS UP SIGN}"}, tokens["bob"])
    assert status == 200
    assert next_push(ann, "chatmessage.reaction_updated")["data"]["reactions"][0]["agent_ids"] == ["bob"]
    status, _ = node.request("POST", f"/v1/chats/{chat['id']}/participants", {"agent_id": "eve"}, tokens["ann"])
    assert status == 200
    assert next_push(eve, "chatparticipant.added")["data"]["owner_id"] == "eve"
    assert not [line for line in eve.seen if "hello" in line], "she was not in it then"
    status, kept = node.request("GET", route, headers=tokens["eve"])
    assert status == 200 and [m["text"] for m in kept["result"]] == ["hello"]

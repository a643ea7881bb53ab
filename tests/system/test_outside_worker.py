"""Workers of a service we don't have: pika consumes bin-manager.campaign.request, requests come in over HTTP."""

from concurrent.futures import ThreadPoolExecutor


def test_http_requests_reach_an_outside_worker(node, peer):
    peer("worker.py", node.amqp, "campaign", "one").json_line("ready", lambda v: v.get("ready"))
    status, answer = node.request("POST", "/v1/campaigns", {"text": "hello"})
    assert status == 200 and answer == {"served_by": "one", "echo": {"text": "hello"}}


def test_two_workers_share_the_requests_in_turn(node, peer):
    for name in ("one", "two"):
        peer("worker.py", node.amqp, "campaign", name).json_line("ready", lambda v: v.get("ready"))
    answers = [node.request("POST", "/v1/campaigns", {"n": n}) for n in range(10)]
    assert {status for status, _ in answers} == {200}, answers
    served = [answer["served_by"] for _, answer in answers]
    assert served in (["one", "two"] * 5, ["two", "one"] * 5)


def test_a_killed_workers_request_goes_to_the_other(node, peer):
    holder = peer("worker.py", node.amqp, "campaign", "holder", "hold")
    holder.json_line("ready", lambda v: v.get("ready"))
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(node.request, "POST", "/v1/campaigns", {"n": 1}, {"X-Request-Timeout": "15000"})
        holder.json_line("it works on it", lambda v: "got" in v)
        other = peer("worker.py", node.amqp, "campaign", "other")
        other.json_line("ready", lambda v: v.get("ready"))
        holder.process.kill()
        took = other.json_line("redelivered", lambda v: "got" in v)
        assert took["redelivered"] is True
        status, answer = asked.result()
    assert status == 200 and answer["served_by"] == "other"


def test_a_service_nobody_serves_is_a_clear_error(node):
    status, answer = node.request("POST", "/v1/faxes", {"n": 1})
    assert status == 404 and "error" in answer

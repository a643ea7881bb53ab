"""Webhooks against real HTTP and HTTPS servers: signed as documented, tried again on the schedule, given up as dead
letters that can be replayed, in order, past a crash, and never to private addresses unless the operator allows it."""

import hashlib
import hmac
import http.server
import json
import ssl
import subprocess
import threading
import time
import uuid

import pytest

from conftest import CUSTOMER, OTHER_CUSTOMER, until

SECRET = "a secret of sixteen bytes or more".replace(" ", "-")
LETTERS = "bin-manager.webhook.delivery"
ALLOWED = "webhook.private_addresses=true"
QUICK = ("webhook.retry_min=100ms", "webhook.retry_max=400ms", "webhook.retry_limit=4", "webhook.timeout=2s")


class Customer:
    """A customer's server. `answer(delivery)` returns the status, or None to say nothing until the test ends."""

    def __init__(self, answer=lambda delivery: 200, tls=None):
        self.got = []
        self.answer = answer
        self.over = threading.Event()
        customer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                delivery = {"at": time.monotonic(), "path": self.path, "headers": dict(self.headers), "body": body,
                            "event": json.loads(body)}
                customer.got.append(delivery)
                status = customer.answer(delivery)
                if status is None:
                    customer.over.wait(30)
                    self.close_connection = True
                    return
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", customer.uri + "/elsewhere")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 200

            def handle_error(self, *arguments):  # a client that does not trust us
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.uri = f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def types(self):
        return [one["event"]["event_type"] for one in self.got]

    def await_types(self, *types, deadline_s=20):
        until(f"{types} are delivered; so far {self.types()}", lambda: len(self.got) >= len(types), deadline_s)
        assert self.types() == list(types)


@pytest.fixture
def customer():
    made = []

    def make(*arguments, **options):
        made.append(Customer(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def create(node, uri, customer=CUSTOMER, **more):
    status, made = node.request("POST", "/v1/webhooks", {"uri": uri, "secret": SECRET, **more},
                                {"X-Customer-Id": customer})
    assert status == 200, made
    return made["id"]


def shown(node, webhook, customer=CUSTOMER):
    return node.request("GET", f"/v1/webhooks/{webhook}", headers={"X-Customer-Id": customer})[1]


def log_in(node, agent, customer=CUSTOMER):
    """Announces agent.login and agent.status_change: a quick source of events."""
    status, made = node.request("POST", f"/v1/agents/{agent}/login", {}, {"X-Customer-Id": customer})
    assert status == 200, made


def new_agent(node, agent, customer=CUSTOMER):
    status, made = node.request("POST", "/v1/agents", {"id": agent, "name": agent}, {"X-Customer-Id": customer})
    assert status == 200, made


def letters(node):
    found = node.cli("dead-letters", "list", "--queue", LETTERS, "--json", check=False)
    return json.loads(found.stdout)["dead_letters"] if found.returncode == 0 else []


def test_a_delivery_is_the_event_signed_as_documented(new_node, customer):
    node = new_node(ALLOWED).start()
    there = customer()
    webhook = create(node, there.uri + "/hooks?x=1", event_types=["agent.*"])
    new_agent(node, "ann")
    there.await_types("agent.created")
    one = there.got[0]
    headers, event = one["headers"], one["event"]
    assert one["path"] == "/hooks?x=1"
    assert (event["customer_id"], event["resource_id"], event["data"]["name"]) == (CUSTOMER, "ann", "ann")
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Switchboard-Event-Id"] == event["event_id"]
    assert headers["X-Switchboard-Event-Type"] == "agent.created"
    assert headers["X-Switchboard-Webhook-Id"] == webhook
    assert headers["X-Switchboard-Attempt"] == "1"
    # What docs/services/webhook.md tells customers to do.
    seconds, given = (part.split("=", 1)[1] for part in headers["X-Switchboard-Signature"].split(","))
    assert abs(time.time() - int(seconds)) < 60
    wanted = hmac.new(SECRET.encode(), seconds.encode() + b"." + one["body"], hashlib.sha256).hexdigest()
    assert hmac.compare_digest(given, wanted)
    plain = hmac.new(SECRET.encode(), one["body"], hashlib.sha256).hexdigest()
    assert headers["X-VoIPBIN-Signature"] == "sha256=" + plain
    until("it is known to be well", lambda: shown(node, webhook)["status"] == "delivering")


def test_customers_get_what_they_asked_for_and_nothing_of_others(new_node, customer):
    node = new_node(ALLOWED).start()
    all_mine, some, others, off = customer(), customer(), customer(), customer()
    create(node, all_mine.uri)
    create(node, some.uri, event_types=["agent.logout", "call.*"])
    create(node, others.uri, OTHER_CUSTOMER)
    create(node, off.uri, enabled=False)
    new_agent(node, "ann")
    log_in(node, "ann")
    node.request("POST", "/v1/agents/ann/logout", {}, {"X-Customer-Id": CUSTOMER})
    all_mine.await_types("agent.created", "agent.login", "agent.status_change", "agent.logout", "agent.status_change")
    some.await_types("agent.logout")
    new_agent(node, "eve", OTHER_CUSTOMER)
    others.await_types("agent.created")
    assert others.got[0]["event"]["resource_id"] == "eve"
    assert off.got == []


def test_nothing_is_missed_after_a_customers_first_webhook(new_node, customer):
    node = new_node(ALLOWED).start()
    customers = [str(uuid.UUID(int=number)) for number in range(1, 21)]
    for one in customers:
        new_agent(node, one, one)  # before he has a webhook
    there = customer()
    for one in customers:
        create(node, f"{there.uri}/{one}", one, event_types=["agent.login"])
        log_in(node, one, one)  # at once
    until("each login is delivered", lambda: len(there.got) == len(customers))
    assert sorted(got["path"] for got in there.got) == [f"/{one}" for one in customers]
    node.kill()
    node.start()
    node.request("POST", f"/v1/agents/{customers[0]}/logout", {}, {"X-Customer-Id": customers[0]})
    log_in(node, customers[0], customers[0])
    until("after a crash, too", lambda: len(there.got) == len(customers) + 1)


def test_changes_count_at_once(new_node, customer):
    node = new_node(ALLOWED).start()
    first, second = customer(), customer()
    webhook = create(node, first.uri)
    new_agent(node, "ann")
    node.request("PUT", f"/v1/webhooks/{webhook}", {"uri": second.uri, "event_types": ["agent.login"]},
                 {"X-Customer-Id": CUSTOMER})
    log_in(node, "ann")
    second.await_types("agent.login")
    node.request("PUT", f"/v1/webhooks/{webhook}", {"enabled": False}, {"X-Customer-Id": CUSTOMER})
    node.request("POST", "/v1/agents/ann/logout", {}, {"X-Customer-Id": CUSTOMER})
    node.request("PUT", f"/v1/webhooks/{webhook}", {"enabled": True}, {"X-Customer-Id": CUSTOMER})
    log_in(node, "ann")
    until("it goes on", lambda: len(second.got) >= 2)
    assert second.types() == ["agent.login", "agent.login"]
    assert node.request("DELETE", f"/v1/webhooks/{webhook}", headers={"X-Customer-Id": CUSTOMER})[0] == 200
    new_agent(node, "bob")
    witness = customer()
    create(node, witness.uri, event_types=["agent.login"])
    log_in(node, "bob")
    witness.await_types("agent.login")
    assert first.types() == ["agent.created"] and len(second.got) == 2
    until("its queue is gone", lambda: f"{webhook}.delivery" not in node.request(
        "GET", "/api/queues", headers={"Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q="}, port=node.admin)[1].__repr__())


def test_failures_are_tried_again_on_the_schedule_and_in_order(new_node, customer):
    node = new_node(ALLOWED, "webhook.retry_min=400ms", "webhook.retry_max=800ms").start()
    answers = iter([500, 503, 429, 200])
    there = customer(lambda delivery: next(answers, 200))
    webhook = create(node, there.uri, event_types=["agent.created"])
    for name in ("ann", "bob", "cec"):
        new_agent(node, name)
    until("it fails", lambda: shown(node, webhook)["status"] == "failing")
    assert shown(node, webhook)["last_error"].startswith("500 ")
    until("all are there", lambda: len(there.got) >= 6)
    assert [one["event"]["resource_id"] for one in there.got] == ["ann"] * 4 + ["bob", "cec"]
    assert [one["headers"]["X-Switchboard-Attempt"] for one in there.got] == ["1", "2", "3", "4", "1", "1"]
    assert len({one["headers"]["X-Switchboard-Event-Id"] for one in there.got[:4]}) == 1
    waits = [later["at"] - earlier["at"] for earlier, later in zip(there.got, there.got[1:4])]
    for wait, wanted in zip(waits, (0.4, 0.8, 0.8)):
        assert wanted * 0.89 <= wait < wanted * 1.1 + 1, waits
    until("it has recovered", lambda: shown(node, webhook)["status"] == "delivering")


def test_what_fails_for_good_is_a_dead_letter_that_can_be_replayed(new_node, customer):
    node = new_node(ALLOWED, *QUICK).start()
    well = threading.Event()
    there = customer(lambda delivery: 200 if well.is_set() or delivery["event"]["resource_id"] != "ann" else 503)
    webhook = create(node, there.uri, event_types=["agent.created"])
    new_agent(node, "ann")
    new_agent(node, "bob")
    until("it is given up, and the next one came", lambda: letters(node) and "bob" in [
        one["event"]["resource_id"] for one in there.got])
    assert [one["event"]["resource_id"] for one in there.got] == ["ann"] * 4 + ["bob"]
    [letter] = letters(node)
    assert letter["of"] == f"bin-manager.webhook.{webhook}.delivery"
    assert letter["reason"] == "rejected"
    assert letter["attempts"] == 4
    assert letter["first_error"] == letter["last_error"] == "503 Service Unavailable"
    assert letter["message_id"] == there.got[0]["event"]["event_id"]
    until("it is counted", lambda: shown(node, webhook)["dead_letters"] == 1)
    well.set()
    node.cli("dead-letters", "replay", LETTERS, "--all")
    until("it is delivered", lambda: len(there.got) == 6)
    assert there.got[-1]["event"]["event_id"] == there.got[0]["event"]["event_id"]
    assert letters(node) == []


def test_what_a_customer_refuses_is_not_tried_again(new_node, customer):
    node = new_node(ALLOWED, *QUICK).start()
    statuses = {"ann": 404, "bob": 302, "cec": 200}
    there = customer(lambda delivery: statuses[delivery["event"]["resource_id"]])
    create(node, there.uri, event_types=["agent.created"])
    for name in statuses:
        new_agent(node, name)
    there.await_types(*["agent.created"] * 3)
    until("two are given up", lambda: len(letters(node)) == 2)
    assert [one["path"] for one in there.got] == ["/"] * 3  # nobody followed the redirect
    errors = sorted(letter["last_error"] for letter in letters(node))
    assert errors == ["302 Found (redirects are not followed)", "404 Not Found"]


def test_a_dead_customer_holds_up_nobody_else(new_node, customer):
    node = new_node(ALLOWED, *QUICK, "webhook.deliveries_max=4", "webhook.timeout=500ms").start()
    dead = [customer(lambda delivery: None) for _ in range(8)]
    alive = customer()
    for one in dead:
        create(node, one.uri, event_types=["agent.created"])
    create(node, alive.uri, OTHER_CUSTOMER, event_types=["agent.created"])
    for i in range(5):
        new_agent(node, f"a{i}")
    until("all dead ones are being tried", lambda: all(one.got for one in dead), 60)
    for i in range(20):
        new_agent(node, f"b{i}", OTHER_CUSTOMER)
    alive.await_types(*["agent.created"] * 20, deadline_s=60)
    assert [one["event"]["resource_id"] for one in alive.got] == [f"b{i}" for i in range(20)]


def test_private_addresses_are_refused_unless_allowed(new_node, customer):
    node = new_node(*QUICK).start()
    there = customer()
    targets = [f"http://127.0.0.1:{there.port}/", f"http://localhost:{there.port}/", f"http://2130706433:{there.port}/",
               f"http://[::ffff:127.0.0.1]:{there.port}/", f"http://0.0.0.0:{there.port}/", "http://169.254.169.254/"]
    webhooks = [create(node, target, event_types=["agent.created"]) for target in targets]
    new_agent(node, "ann")
    until("all are given up at once", lambda: len(letters(node)) == len(targets))
    for letter in letters(node):
        assert letter["last_error"].startswith("refused: ") and letter["attempts"] == 1
    assert there.got == []
    for webhook in webhooks:
        until("it is known", lambda: "not a public address" in shown(node, webhook)["last_error"])


def test_a_backlog_is_bounded_and_its_oldest_are_dead_letters(new_node, customer):
    node = new_node(ALLOWED, "webhook.retry_min=20s", "webhook.backlog_max=3").start()
    there = customer(lambda delivery: 503)
    webhook = create(node, there.uri, event_types=["agent.created"])
    new_agent(node, "a0")
    until("the first one is at work", lambda: there.got)
    for i in range(1, 6):
        new_agent(node, f"a{i}")
    until("two are too many", lambda: len(letters(node)) == 2)
    for letter in letters(node):
        assert (letter["of"], letter["reason"]) == (f"bin-manager.webhook.{webhook}.delivery", "maxlen")
    assert len(there.got) == 1


def test_nothing_is_lost_when_the_node_is_killed(new_node, customer):
    node = new_node(ALLOWED, *QUICK, "webhook.retry_limit=100").start()
    well = threading.Event()
    there = customer(lambda delivery: 200 if well.is_set() else 503)
    create(node, there.uri, event_types=["agent.created"])
    names = [f"a{i}" for i in range(20)]
    for name in names:
        new_agent(node, name)
    until("it is being tried", lambda: len(there.got) >= 2)
    node.kill()
    node.start()
    until("it is tried again", lambda: there.got[-1]["at"] > time.monotonic() - 0.2)
    well.set()
    node.kill()
    node.start()
    until("all are there", lambda: there.got[-1]["event"]["resource_id"] == names[-1])
    delivered = list(dict.fromkeys(one["event"]["resource_id"] for one in there.got))
    assert delivered == names  # in order; the first one often
    assert letters(node) == []


def test_a_node_that_stops_finishes_what_is_under_way_and_keeps_the_rest(new_node, customer):
    node = new_node(ALLOWED, "webhook.retry_min=30s", "shutdown.deadline=60s").start()
    answers = iter([503])
    slow, failing = customer(lambda delivery: time.sleep(0.5) or 200), customer(lambda delivery: next(answers, 200))
    create(node, slow.uri, event_types=["agent.created"])
    create(node, failing.uri, event_types=["agent.created"])
    new_agent(node, "ann")
    until("both are under way", lambda: slow.got and failing.got)
    began = time.monotonic()
    assert node.stop() == 0
    assert time.monotonic() - began < 10
    node.start()
    until("the one that failed comes again", lambda: len(failing.got) == 2)
    new_agent(node, "bob")
    until("the next one is there", lambda: len(slow.got) == 2)
    assert [one["event"]["resource_id"] for one in slow.got] == ["ann", "bob"]


@pytest.fixture
def certificates(tmp_path):
    """A CA, a server certificate for localhost, and one for another name."""

    def run(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=tmp_path)

    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")
    contexts = {}
    for name in ("localhost", "elsewhere.example"):
        (tmp_path / "ext").write_text(f"subjectAltName=DNS:{name}\n")
        run("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "ext", "-out", f"{name}.pem")
        contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[name].load_cert_chain(tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
    return tmp_path / "ca.pem", contexts


def test_https_targets_must_prove_who_they_are(new_node, customer, certificates):
    ca, contexts = certificates
    node = new_node(ALLOWED, *QUICK, f"webhook.ca_file={ca}").start()
    good, bad = customer(tls=contexts["localhost"]), customer(tls=contexts["elsewhere.example"])
    create(node, good.uri, event_types=["agent.created"])
    create(node, bad.uri, event_types=["agent.created"])
    new_agent(node, "ann")
    good.await_types("agent.created")
    until("the other one is given up", lambda: len(letters(node)) == 1)
    assert letters(node)[0]["last_error"].startswith("TLS: ")
    assert bad.got == []


def test_https_by_the_systems_certificates_refuses_unknown_ones(new_node, customer, certificates):
    node = new_node(ALLOWED, *QUICK).start()
    there = customer(tls=certificates[1]["localhost"])
    create(node, there.uri, event_types=["agent.created"])
    new_agent(node, "ann")
    until("it is given up", lambda: len(letters(node)) == 1)
    assert there.got == []

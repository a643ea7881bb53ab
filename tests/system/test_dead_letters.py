"""Exponential retry for any RabbitMQ client, and what becomes of messages that fail for good: a pika consumer, the CLI
and the admin listener. The full schedule of the seed (63 s) is `./dev faults retry`."""

import decimal
import json
import time

import pika
import pytest

from conftest import BINARY, until


def declare(channel, name, **arguments):
    channel.queue_declare(name, durable=True, arguments={f"x-retry-{key}": value for key, value in arguments.items()})


def publish(channel, queue, body, **properties):
    channel.confirm_delivery()
    channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2, **properties))


def reject_all(connection, queue, count, how="nack"):
    """Consumes `count` deliveries and fails each; when they came, and what they said of earlier ones."""
    channel = connection.channel()
    channel.basic_qos(prefetch_count=10)
    seen = []

    def on_message(ch, method, properties, body):
        seen.append((time.monotonic(), method.redelivered, (properties.headers or {}).get("x-delivery-count", 0), body))
        if how == "nack":
            ch.basic_nack(method.delivery_tag, requeue=False)
        else:
            ch.basic_reject(method.delivery_tag, requeue=False)

    channel.basic_consume(queue, on_message)
    end = time.monotonic() + 20
    while len(seen) < count:
        connection.process_data_events(0.5)
        assert time.monotonic() < end, f"only {len(seen)} of {count} deliveries"
    channel.close()
    return seen


def cli(node, *words, code=0):
    done = node.cli("dead-letters", *words, "--json", check=False)
    assert done.returncode == code, (done.stdout, done.stderr)
    return json.loads(done.stdout) if code == 0 else done.stderr


def letters_of(node, count=1, queue="work"):
    def look():
        found = cli(node, "list", "--queue", queue)["dead_letters"]
        return found if len(found) == count else None

    return until(f"{count} letters lie there", look)


def got(channel, queue):
    method, properties, body = channel.basic_get(queue)
    return (method, properties, body) if method else None


@pytest.fixture
def amqp(node):
    connection = node.pika()
    yield connection
    if connection.is_open:
        try:
            connection.close()
        except pika.exceptions.AMQPError:  # the test has killed its node
            pass


@pytest.mark.parametrize("how", ["nack", "reject"])
def test_what_a_consumer_rejects_comes_back_on_its_schedule_and_is_a_dead_letter_in_the_end(node, amqp, how):
    channel = amqp.channel()
    declare(channel, "work", min=200, max=600, multiplier=2, limit=4)
    publish(channel, "work", b"poison", headers={"mine": 1}, message_id="m-1")
    seen = reject_all(amqp, "work", 4, how)
    waits = [after[0] - before[0] for before, after in zip(seen, seen[1:])]
    for wait, planned in zip(waits, (0.2, 0.4, 0.6)):
        assert planned * 0.85 <= wait <= planned * 1.15 + 0.05, waits  # ± 10 % of dice, and the machine's own
    assert [(redelivered, count) for _, redelivered, count, _ in seen] == [(False, 0), (True, 1), (True, 2), (True, 3)]
    letters = letters_of(node)
    assert len(letters) == 1, "exactly one"
    letter = letters[0]
    assert (letter["queue"], letter["of"], letter["reason"], letter["attempts"]) == ("work.dead", "work", "rejected", 4)
    assert (letter["exchange"], letter["routing_key"], letter["message_id"]) == ("", "work", "m-1")
    shown = cli(node, "show", "work", letter["id"])
    assert shown["body"] == "poison" and shown["properties"]["headers"]["mine"] == 1
    page = node.request("GET", "/metrics", port=node.admin)[1]
    assert 'switchboard_dead_letters{queue="work.dead"} 1' in page


def test_others_on_the_queue_are_not_held_up(amqp):
    channel = amqp.channel()
    declare(channel, "work", min=60_000, limit=3)
    publish(channel, "work", b"bad")
    method, _, body = channel.basic_get("work")
    channel.basic_nack(method.delivery_tag, requeue=False)
    publish(channel, "work", b"good")
    method, _, body = channel.basic_get("work")
    assert body == b"good"


def test_a_replay_delivers_once_as_it_was_published(node, amqp):
    channel = amqp.channel()
    channel.exchange_declare("orders", "topic", durable=True)
    declare(channel, "work", limit=1)
    channel.queue_declare("others", durable=True)
    for queue in ("work", "others"):
        channel.queue_bind(queue, "orders", "order.#")
    channel.confirm_delivery()
    for body in (b"one", b"two", b"three"):
        channel.basic_publish("orders", "order.new", body, pika.BasicProperties(delivery_mode=2))
    reject_all(amqp, "work", 3)
    letters = letters_of(node, 3)
    assert cli(node, "replay", "work", letters[1]["id"]) == {"replayed": 1, "kept": 0}
    method, properties, body = until("it is back", lambda: got(channel, "work"))
    assert (body, method.exchange, method.routing_key) == (b"two", "orders", "order.new")
    assert properties.headers == {"x-replayed": 1} and properties.delivery_mode == 2
    channel.basic_ack(method.delivery_tag)
    assert channel.basic_get("work")[0] is None, "once"
    assert cli(node, "replay", "work", "--all") == {"replayed": 2, "kept": 0}
    bodies = {until("it is back", lambda: got(channel, "work"))[2] for _ in range(2)}
    assert bodies == {b"one", b"three"}
    assert [got(channel, "others")[2] for _ in range(3)] == [b"one", b"two", b"three"], "nobody else gets it again"
    assert got(channel, "others") is None
    assert cli(node, "list") == {"queues": [], "dead_letters": []}


def test_letters_survive_a_crash_and_are_purged_by_hand(node, amqp):
    channel = amqp.channel()
    declare(channel, "work", limit=1)
    for number in range(3):
        publish(channel, "work", b"%d" % number)
    reject_all(amqp, "work", 3)
    before = letters_of(node, 3)
    time.sleep(0.2)  # the move is not confirmed to anybody: a moment for the disk
    node.kill()
    node.start()
    after = letters_of(node, 3)
    assert [letter["id"] for letter in after] == [letter["id"] for letter in before], "an id stays what it is"
    assert cli(node, "purge", "work", after[0]["id"]) == {"purged": 1}
    assert "no dead letter" in cli(node, "purge", "work", after[0]["id"], code=1)
    assert cli(node, "purge", "work", "--all") == {"purged": 2}
    assert cli(node, "list")["dead_letters"] == []


def test_attempts_are_counted_on_after_a_crash(node, amqp):
    channel = amqp.channel()
    declare(channel, "work", min=100, max=100, limit=3)
    publish(channel, "work", b"poison")
    reject_all(amqp, "work", 2)
    time.sleep(0.3)  # what was counted is written a moment later
    node.kill()
    node.start()
    connection = node.pika()
    assert reject_all(connection, "work", 1)[0][2] == 2
    letters_of(node)
    connection.close()


def test_a_message_that_ends_its_consumers_is_a_dead_letter(node, amqp):
    channel = amqp.channel()
    declare(channel, "work", limit=5)
    publish(channel, "work", b"poison")
    deliveries = 0
    while deliveries < 30:
        connection = node.pika()
        taken = until("it comes back or it is dead", lambda: got(connection.channel(), "work") or
                      cli(node, "list")["dead_letters"])
        if isinstance(taken, list):
            break
        deliveries += 1
        connection.close()  # as a consumer that dies of it
    assert deliveries == 21
    assert taken[0]["reason"] == "delivery_limit"


def test_policies_say_it_too(node, amqp):
    channel = amqp.channel()
    channel.queue_declare("plain", durable=True)
    login = {"Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q="}
    status, _ = node.request("PUT", "/api/policies/%2F/retries", {"pattern": "^plain$", "definition": {"retry-min": 50,
                             "retry-limit": 2}}, login, port=node.admin)
    assert status == 201
    publish(channel, "plain", b"x")
    assert len(reject_all(amqp, "plain", 2)) == 2
    letters_of(node, queue="plain")


@pytest.mark.parametrize("arguments, why", [({"min": 0}, "value_zero"), ({"limit": 0}, "value_zero"),
                                            ({"multiplier": decimal.Decimal("0.5")}, "value_below_one"), ({"multiplier": "2"}, "unacceptable_type"),
                                            ({"max": -1}, "value_negative"), ({"limit": "many"}, "expected integer")])
def test_wrong_arguments_are_refused(amqp, arguments, why):
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
        declare(amqp.channel(), "work", **arguments)
    assert refused.value.reply_code == 406 and why in refused.value.reply_text


def test_a_request_that_nobody_can_read_is_a_dead_letter_of_its_service(node, amqp):
    channel = amqp.channel()
    publish(channel, "bin-manager.call.request", b"{no json")
    letter = letters_of(node, queue="bin-manager.call.request")[0]
    assert letter["of"] == "bin-manager.call.request" and letter["last_error"]
    assert cli(node, "show", "bin-manager.call.request", letter["id"])["body"] == "{no json"


def test_wrong_questions_get_clear_answers(node):
    def ask(method, path, body=None, headers=None):
        return node.request(method, path, body, headers, port=node.admin)[0]

    assert ask("GET", "/api/dead-letters/nothing/1") == 404
    assert ask("GET", "/api/dead-letters?limit=many") == 400
    assert ask("PUT", "/api/dead-letters") == 405
    assert ask("POST", "/api/dead-letters/x/replay", {"ids": []}) == 404
    assert ask("POST", "/api/dead-letters/x/replay", {}, {"Content-Type": "text/plain"}) == 415
    assert ask("GET", "/api/dead-letters", headers={"Host": "evil.example"}) == 401
    assert ask("GET", "/api/dead-letters", headers={"Host": "evil.example", "Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q="}) == 200
    assert "no dead letters" in cli(node, "replay", "nothing", "--all", code=1)
    assert "say which" in cli(node, "purge", "nothing", code=2)


def test_a_replayed_http_request_is_not_lost_though_its_deadline_is_over(new_node):
    node = new_node(f"node.plugins_dir={BINARY.parent / 'test_plugins'}", "node.plugins=counter").start()
    queue, mine = "bin-manager.counter.request", {"X-Customer-Id": "customer-1"}
    assert node.request("POST", "/v1/counters", {"id": "c-1"}, mine)[0] == 200
    assert node.request("POST", "/v1/counters/c-1/never", {}, {**mine, "X-Request-Timeout": "500", "X-Message-Id": "m-1"})[0] == 500
    letter = letters_of(node, queue=queue)[0]
    assert letter["message_id"].endswith("m-1")
    time.sleep(0.6)  # nobody announces that a deadline has passed
    assert cli(node, "replay", queue, "--all") == {"replayed": 1, "kept": 0}
    again = letters_of(node, queue=queue)[0]  # it was decided once more, and failed once more
    assert (again["replayed"], again["last_error"], again["message_id"]) == (1, "it never works", letter["message_id"])
    table = node.cli("dead-letters", "list").stdout.splitlines()
    assert table[0].split()[:3] == ["id", "queue", "attempts"] and queue + ".dead" in table[1]
    cli(node, "purge", queue, "--all")
    assert node.cli("dead-letters", "list").stdout == "none\n"

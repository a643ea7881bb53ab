"""Exchange types of RabbitMQ's plugins, seen by pika. The consistent-hash ones run against RabbitMQ 3.10 with its plugin too
(either_broker.py); the delayed ones need a plugin that Debian's package doesn't have."""

import collections
import time

import pika
import pytest

from conftest import until
from either_broker import OTHER, channel, connect  # noqa: F401 (fixtures)


def refused(connect, action):
    """Code and text with which the channel or connection is closed."""
    connection = connect()
    with pytest.raises((pika.exceptions.ChannelClosedByBroker, pika.exceptions.ConnectionClosedByBroker)) as closed:
        action(connection.channel())
    if connection.is_open:
        connection.close()
    return closed.value.reply_code, closed.value.reply_text


def hash_exchange(channel, queues, **arguments):
    channel.exchange_delete("ring")
    channel.exchange_declare("ring", "x-consistent-hash",
                             arguments={name.replace("_", "-"): value for name, value in arguments.items()})
    for queue, weight in queues.items():
        channel.queue_delete(queue)
        channel.queue_declare(queue)
        channel.queue_bind(queue, "ring", str(weight))


def take_all(channel, queue):
    found = []
    while True:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if not method:
            return found
        found.append((method, properties, body.decode()))


def owners(channel, queues):
    """Which queue each body went to; no body in two."""
    found = {}
    for queue in queues:
        for _, _, body in take_all(channel, queue):
            assert body not in found
            found[body] = queue
    return found


def test_a_hash_exchange_shares_by_weight(channel):
    queues = {"h1": 1, "h2": 1, "h3": 2}
    hash_exchange(channel, queues)
    channel.confirm_delivery()
    for i in range(1200):
        channel.basic_publish("ring", f"key.{i}", str(i))
    shares = collections.Counter(owners(channel, queues).values())
    assert sum(shares.values()) == 1200
    assert abs(shares["h1"] - 300) < 75 and abs(shares["h2"] - 300) < 75 and abs(shares["h3"] - 600) < 90
    for _ in range(3):
        channel.basic_publish("ring", "one and the same", "x")
    assert sorted(len(take_all(channel, queue)) for queue in queues) == [0, 0, 3]


def test_a_hash_exchange_hashes_a_header_or_property(channel):
    queues = {"h1": 1, "h2": 1, "h3": 1}
    hash_exchange(channel, queues, hash_header="call")
    channel.confirm_delivery()
    for i in range(90):
        channel.basic_publish("ring", "k", str(i), pika.BasicProperties(headers={"call": f"c{i}"}))
    assert set(owners(channel, queues).values()) == set(queues)
    for i in range(20):  # without the header all go the same way
        channel.basic_publish("ring", f"k{i}", str(i))
    assert len(set(owners(channel, queues).values())) == 1
    for name in ("message_id", "correlation_id", "timestamp"):
        hash_exchange(channel, queues, hash_property=name)
        for i in range(90):
            channel.basic_publish("ring", "k", str(i),
                                  pika.BasicProperties(**{name: i if name == "timestamp" else f"id{i}"}))
        assert set(owners(channel, queues).values()) == set(queues)


def test_a_copy_key_adds_no_second_queue(channel):
    queues = {"h1": 1, "h2": 1, "h3": 1}
    hash_exchange(channel, queues)
    channel.confirm_delivery()
    for i in range(60):
        channel.basic_publish("ring", f"k{i}", str(i), pika.BasicProperties(headers={"CC": [f"a{i}", f"b{i}"]}))
    assert len(owners(channel, queues)) == 60


def test_what_a_hash_exchange_refuses(channel, connect):
    hash_exchange(channel, {"h1": 1})
    for key in ("abc", "", "1.5"):
        assert refused(connect, lambda ch: ch.queue_bind("h1", "ring", key)) == (
            406, f'PRECONDITION_FAILED - The binding key must be an integer: <<"{key}">>' if key else
            "PRECONDITION_FAILED - The binding key must be an integer: <<>>")
    for key in ("0", "-3"):
        assert refused(connect, lambda ch: ch.queue_bind("h1", "ring", key)) == (
            406, "PRECONDITION_FAILED - The binding key must be greater than 0")
    assert refused(connect, lambda ch: ch.exchange_declare(
        "other", "x-consistent-hash", arguments={"hash-header": "a", "hash-property": "message_id"})) == (
        406, "PRECONDITION_FAILED - hash-header and hash-property are mutually exclusive")
    assert refused(connect, lambda ch: ch.exchange_declare(
        "other", "x-consistent-hash", arguments={"hash-property": "app_id"})) == (
        406, "PRECONDITION_FAILED - Unsupported property: app_id")


@pytest.mark.skipif(bool(OTHER), reason="kills its node")
def test_a_hash_exchange_keeps_its_mind_over_a_restart(new_node):
    node = new_node().start()
    channel = node.pika().channel()
    queues = [f"kept{i}" for i in range(4)]
    channel.exchange_declare("kept", "x-consistent-hash", durable=True)
    for queue in queues:
        channel.queue_declare(queue, durable=True)
        channel.queue_bind(queue, "kept", "3")

    def publish(channel):
        channel.confirm_delivery()
        for i in range(100):
            channel.basic_publish("kept", f"k{i}", str(i))
        return owners(channel, queues)

    before = publish(channel)
    node.kill()
    node.start()
    assert publish(node.pika().channel()) == before


# -- x-delayed-message ------------------------------------------------------------------------------------------------

delayed_only_here = pytest.mark.skipif(bool(OTHER), reason="Debian's RabbitMQ has no delayed message plugin")


def delayed_exchange(channel, kind="direct", durable=True, queue="due", key="due", name="delay"):
    """As VoIPBIN declares it: a durable exchange, each queue bound under its own name."""
    channel.exchange_declare(name, "x-delayed-message", durable=durable, arguments={"x-delayed-type": kind})
    channel.queue_declare(queue, durable=True)
    channel.queue_bind(queue, name, key)


def put(channel, body, delay, key="due", exchange="delay", mandatory=False, **properties):
    channel.basic_publish(exchange, key, body, pika.BasicProperties(
        headers=None if delay is None else {"x-delay": delay, "mine": 1}, **properties), mandatory=mandatory)


def take(channel, queue="due"):
    def got():
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        return (method, properties, body.decode()) if method else None
    return until(f"a message in {queue}", got)


@delayed_only_here
def test_a_delayed_message_comes_when_it_is_due(channel):
    delayed_exchange(channel)
    channel.confirm_delivery()
    began = time.monotonic()
    put(channel, "last", 900)
    put(channel, "first", 300)
    put(channel, "at once", None)
    put(channel, "at once too", 0)
    put(channel, "and this", -5)
    assert [body for _, _, body in take_all(channel, "due")] == ["at once", "at once too", "and this"]
    method, properties, body = take(channel)
    assert body == "first" and 0.3 <= time.monotonic() - began < 0.9
    assert properties.headers == {"x-delay": -300, "mine": 1}
    assert (method.exchange, method.routing_key, method.redelivered) == ("delay", "due", False)
    assert take(channel)[2] == "last" and time.monotonic() - began >= 0.9


@delayed_only_here
def test_bindings_count_when_it_is_due(channel):
    delayed_exchange(channel, "topic", key="call.#")
    channel.confirm_delivery()
    put(channel, "x", 400, key="agent.login", mandatory=True)  # mandatory asks nothing of what waits
    channel.queue_declare("late")
    channel.queue_bind("late", "delay", "agent.*")
    assert take(channel, "late")[2] == "x"
    with pytest.raises(pika.exceptions.UnroutableError):  # but of what doesn't
        put(channel, "y", None, key="nobody", mandatory=True)


@delayed_only_here
def test_equal_delays_keep_their_order(channel):
    delayed_exchange(channel)
    for number in range(500):
        put(channel, str(number), 300)
    seen = []
    until("all came", lambda: seen.extend(int(body) for _, _, body in take_all(channel, "due")) or len(seen) == 500)
    assert seen == list(range(500))


@delayed_only_here
def test_copies_wait_too(channel):
    delayed_exchange(channel)
    channel.queue_declare("blind")
    channel.queue_bind("blind", "delay", "blind")
    channel.basic_publish("delay", "due", "x", pika.BasicProperties(headers={"x-delay": 200, "BCC": ["blind"]}))
    for queue in ("due", "blind"):
        assert take(channel, queue)[1].headers == {"x-delay": -200}


@delayed_only_here
def test_a_delayed_exchange_behind_another_one(channel):
    delayed_exchange(channel)
    channel.exchange_declare("before", "fanout")
    channel.exchange_bind("delay", "before")
    channel.queue_declare("now")
    channel.queue_bind("now", "before")
    put(channel, "x", 300, exchange="before")
    assert take(channel, "now")[1].headers["x-delay"] == 300
    assert take(channel, "due")[1].headers["x-delay"] == -300


@delayed_only_here
def test_what_a_delayed_exchange_refuses(channel, connect):
    no_type = (406, "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type")
    for arguments in ({}, {"x-delayed-type": 5}, {"x-delayed-type": "x-delayed-message"}):
        assert refused(connect, lambda ch: ch.exchange_declare("bad", "x-delayed-message", arguments=arguments)) == no_type
    assert refused(connect, lambda ch: ch.exchange_declare(
        "bad", "x-delayed-message", arguments={"x-delayed-type": "nope"})) == (
        503, "COMMAND_INVALID - unknown exchange type 'nope'")


@delayed_only_here
def test_a_deleted_exchange_takes_what_waits_along(channel):
    delayed_exchange(channel)
    put(channel, "gone", 200)
    channel.exchange_delete("delay")
    delayed_exchange(channel)
    time.sleep(0.5)
    assert take_all(channel, "due") == []


@delayed_only_here
def test_confirmed_delayed_messages_survive_a_kill(new_node):
    node = new_node().start()
    channel = node.pika().channel()
    delayed_exchange(channel)
    delayed_exchange(channel, "direct", durable=False, queue="volatile", key="due", name="fleeting")
    channel.confirm_delivery()
    began = time.monotonic()
    put(channel, "far", 3_600_000, delivery_mode=2)
    put(channel, "third", 4000, delivery_mode=2)
    put(channel, "second", 3000)  # the exchange is durable: what waits in it is, too
    put(channel, "first", 100, delivery_mode=2)
    put(channel, "lost", 2000, exchange="fleeting")
    node.kill()
    until("the first is overdue", lambda: time.monotonic() - began > 0.2)
    node.start()
    channel = node.pika().channel()
    found = [take(channel) for _ in range(3)]
    assert [body for _, _, body in found] == ["first", "second", "third"]
    assert time.monotonic() - began >= 4
    assert [properties.headers["x-delay"] for _, properties, _ in found] == [-100, -3000, -4000]
    assert take_all(channel, "due") == [] and take_all(channel, "volatile") == []
    channel.confirm_delivery()
    channel.basic_publish("", "due", "the log has all before it", pika.BasicProperties(delivery_mode=2))
    node.kill()  # what was delivered is not delivered again
    node.start()
    assert [body for _, _, body in take_all(node.pika().channel(), "due")] == ["the log has all before it"]

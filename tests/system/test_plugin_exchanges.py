"""Exchange types of RabbitMQ's plugins, seen by pika. The consistent-hash ones run against RabbitMQ 3.10 with its plugin too
(either_broker.py); the delayed ones need a plugin that Debian's package doesn't have."""

import collections

import pika
import pytest

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

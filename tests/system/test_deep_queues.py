"""Queues much longer than they may be in memory: what is behind their head waits on disk, and comes in order."""

import time

import pika
import pytest

from conftest import DEADLINE_S, SANITIZED, own_mib, until
from test_management import put

COUNT, SIZE = 4000, 32768  # 125 MiB


def fill(node, channel, **properties):
    for number in range(COUNT):
        channel.basic_publish("", "deep", f"{number:08}".encode() + b"x" * SIZE, pika.BasicProperties(**properties))
    until("all are there", lambda: count(channel) == COUNT)


def count(channel):
    return channel.queue_declare("deep", passive=True).method.message_count


def drain(node, queue="deep", total=COUNT):
    """Numbers of all messages as a consumer gets them."""
    connection = node.pika()
    channel = connection.channel()
    channel.basic_qos(prefetch_count=200)
    seen = []

    def on_message(channel, method, properties, body):
        seen.append(int(body[:8]))
        if len(seen) % 100 == 0 or len(seen) == total:
            channel.basic_ack(method.delivery_tag, multiple=True)

    channel.basic_consume(queue, on_message)
    end = time.monotonic() + 3 * DEADLINE_S
    while len(seen) < total:
        assert time.monotonic() < end, f"{len(seen)} came"
        connection.process_data_events(time_limit=0.1)
    connection.close()
    return seen


@pytest.mark.parametrize("durable", [False, True])
def test_a_deep_queue_needs_little_memory(new_node, durable):
    node = new_node("broker.resident_bytes_max=4MiB").start()
    channel = node.pika().channel()
    channel.queue_declare("deep", durable=durable)
    before = own_mib(node.pid)
    fill(node, channel, delivery_mode=2 if durable else 1)
    if not SANITIZED:
        until("what is behind the head is on disk alone", lambda: own_mib(node.pid) - before < 60)
    assert drain(node) == list(range(COUNT))
    assert count(channel) == 0


def test_a_deep_queue_survives_a_kill_and_starts_with_little_memory(new_node):
    node = new_node("broker.resident_bytes_max=4MiB").start()
    channel = node.pika().channel()
    before = own_mib(node.pid)
    channel.queue_declare("deep", durable=True)
    fill(node, channel, delivery_mode=2)
    channel.confirm_delivery()
    channel.basic_publish("", "deep", b"%08d" % COUNT, pika.BasicProperties(delivery_mode=2))  # the log has all before it
    node.kill()
    node.start()
    channel = node.pika().channel()
    assert count(channel) == COUNT + 1
    if not SANITIZED:
        assert own_mib(node.pid) - before < 60
    assert drain(node)[:COUNT] == list(range(COUNT))


def test_what_was_put_away_of_transient_messages_is_gone_after_a_kill(new_node):
    node = new_node("broker.resident_bytes_max=4MiB").start()
    channel = node.pika().channel()
    channel.queue_declare("deep", durable=True)
    fill(node, channel)
    node.kill()
    node.start()
    assert count(node.pika().channel()) == 0


def test_a_deep_queue_that_dies_moves_in_order_and_needs_little_memory(new_node):
    node = new_node("broker.resident_bytes_max=4MiB").start()
    channel = node.pika().channel()
    before = own_mib(node.pid)
    channel.queue_declare("dead", durable=True)
    channel.queue_declare("deep", durable=True)
    fill(node, channel, delivery_mode=2)
    node.stop()
    node.start()
    channel = node.pika().channel()
    put(node, "policies/%2F/die", {"pattern": "^deep$", "definition": {
        "max-length": 1, "dead-letter-exchange": "", "dead-letter-routing-key": "dead"}})
    most = [0]

    def moved():
        most[0] = max(most[0], own_mib(node.pid) - before)
        return channel.queue_declare("dead", passive=True).method.message_count == COUNT - 1

    until("all but one are dead", moved, 3 * DEADLINE_S)
    assert SANITIZED or most[0] < 100
    assert drain(node, "dead", COUNT - 1) == list(range(COUNT - 1))

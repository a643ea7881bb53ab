"""Streams (x-queue-type=stream) as RabbitMQ 3.10 has them over AMQP 0-9-1, seen by pika. They run against RabbitMQ too
(either_broker.py)."""

import calendar
import datetime
import time

import pika
import pytest

from conftest import DEADLINE_S, SANITIZED, own_mib, until
from either_broker import OTHER, channel, connect  # noqa: F401 (fixtures)


def declare(channel, name, **arguments):
    arguments = {"x-" + key.replace("_", "-"): value for key, value in arguments.items()}
    channel.queue_delete(name)
    return channel.queue_declare(name, durable=True, arguments={"x-queue-type": "stream", **arguments})


def append(channel, stream, *bodies, **properties):
    """Returns once the broker has confirmed each."""
    channel.confirm_delivery()
    for body in bodies:
        channel.basic_publish("", stream, body, pika.BasicProperties(**properties))


class Reader:
    """A consumer on a channel of its own: what it saw as (offset, body)."""

    def __init__(self, connection, stream, start=None, prefetch=100, ack=True):
        self.channel = connection.channel()
        self.channel.basic_qos(prefetch_count=prefetch)
        self.seen, self.tags, self.ack = [], [], ack
        self.tag = self.channel.basic_consume(stream, self._on_message,
                                              arguments={} if start is None else {"x-stream-offset": start})

    def _on_message(self, channel, method, properties, body):
        assert not method.redelivered
        self.seen.append((properties.headers["x-stream-offset"], body.decode()))
        if self.ack:
            channel.basic_ack(method.delivery_tag)
        else:
            self.tags.append(method.delivery_tag)

    def read(self, count):
        end = time.monotonic() + DEADLINE_S
        while len(self.seen) < count:
            assert time.monotonic() < end, f"{len(self.seen)} of {count} came"
            self.channel.connection.process_data_events(time_limit=0.1)
        return self.seen

    def nothing_more(self, seconds=0.5):
        before = len(self.seen)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.channel.connection.process_data_events(time_limit=0.1)
        return len(self.seen) == before


def refused(connect, action):
    """Code and text with which the channel or connection is closed."""
    connection = connect()
    with pytest.raises((pika.exceptions.ChannelClosedByBroker, pika.exceptions.ConnectionClosedByBroker)) as closed:
        action(connection.channel())
    if connection.is_open:
        connection.close()
    return closed.value.reply_code, closed.value.reply_text


LETTERS = [(at, letter) for at, letter in enumerate("abcde")]


@pytest.mark.parametrize("start, first", [("first", 0), ("last", 4), ("next", 5), (None, 5), (0, 0), (2, 2), (4, 4),
                                          (5, 5), (-1, 0), ("1h", 0), ("1D", 0), ("1Y", 0)])
def test_a_consumer_begins_where_it_asks(channel, connect, start, first):
    declare(channel, "start")
    append(channel, "start", *"abcde")
    reader = Reader(channel.connection, "start", start)
    assert reader.read(5 - first) == LETTERS[first:]
    append(channel, "start", "f")
    assert reader.read(6 - first)[-1] == (5, "f")


def test_a_consumer_begins_at_a_time(channel):
    declare(channel, "times")
    append(channel, "times", "a", "b")
    time.sleep(2.1)
    between = datetime.datetime.utcfromtimestamp(calendar.timegm(time.gmtime()))
    append(channel, "times", "c")
    assert Reader(channel.connection, "times", between).read(1) == [(2, "c")]
    past = between - datetime.timedelta(hours=1)
    assert Reader(channel.connection, "times", past).read(3) == [(0, "a"), (1, "b"), (2, "c")]
    assert Reader(channel.connection, "times", "1s").read(1) == [(2, "c")]
    future = Reader(channel.connection, "times", between + datetime.timedelta(hours=1))
    assert future.nothing_more()


def test_consumers_read_alike_and_take_nothing_away(channel, connect):
    declare(channel, "shared")
    append(channel, "shared", *"abcde")
    readers = [Reader(connect(), "shared", "first") for _ in range(3)]
    for reader in readers:
        assert reader.read(5) == LETTERS
        reader.channel.connection.close()
    assert Reader(channel.connection, "shared", "first").read(5) == LETTERS


def test_acks_give_credit(channel):
    declare(channel, "credit")
    append(channel, "credit", *"abcde")
    reader = Reader(channel.connection, "credit", "first", prefetch=2, ack=False)
    assert reader.read(2) == LETTERS[:2]
    assert reader.nothing_more()
    reader.channel.basic_ack(reader.tags[0])
    assert reader.read(3) == LETTERS[:3]
    reader.channel.basic_ack(reader.tags[2], multiple=True)
    assert reader.read(5) == LETTERS


def test_messages_stay_what_they_were(channel):
    declare(channel, "whole")
    channel.confirm_delivery()
    channel.queue_bind("whole", "amq.topic", "call.#")
    channel.basic_publish("amq.topic", "call.created", "body", pika.BasicProperties(
        headers={"mine": 1, "x-stream-offset": 77}, delivery_mode=1, content_type="text/plain", message_id="m", expiration="1"))
    found = []
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume("whole", lambda *seen: found.append(seen[1:]), arguments={"x-stream-offset": "first"})
    end = time.monotonic() + DEADLINE_S
    while not found:
        assert time.monotonic() < end
        channel.connection.process_data_events(time_limit=0.1)
    (method, properties, body), = found
    assert (method.exchange, method.routing_key, body) == ("amq.topic", "call.created", b"body")
    assert properties.headers == {"mine": 1, "x-stream-offset": 0}
    assert (properties.content_type, properties.message_id, properties.delivery_mode) == ("text/plain", "m", 1)


def test_what_streams_refuse(channel, connect):
    declare(channel, "no")
    queue = "queue 'no' in vhost '/'"
    unsupported = "NOT_IMPLEMENTED - {} not supported by stream queues " + queue

    def consume(channel, prefetch=1, arguments=None, **options):
        if prefetch:
            channel.basic_qos(prefetch_count=prefetch)
        channel.basic_consume("no", print, arguments=arguments, **options)

    no_prefetch = (406, f"PRECONDITION_FAILED - consumer prefetch count is not set for '{queue}'")
    assert refused(connect, lambda ch: consume(ch, 0)) == no_prefetch
    assert refused(connect, lambda ch: consume(ch, 0, auto_ack=True)) == no_prefetch

    def consume_by_channel(channel):
        channel.basic_qos(prefetch_count=5, global_qos=True)
        consume(channel, 0)

    assert refused(connect, consume_by_channel) == no_prefetch
    assert refused(connect, lambda ch: consume(ch, auto_ack=True)) == (540, unsupported.format("automatic acknowledgement"))
    assert refused(connect, lambda ch: consume(ch, arguments={"x-priority": 1})) == (
        406, f"PRECONDITION_FAILED - invalid arg 'x-priority' for {queue} of queue type rabbit_stream_queue")
    assert refused(connect, lambda ch: consume(ch, arguments={"x-stream-offset": "0s"})) == (
        406, f"PRECONDITION_FAILED - invalid arg 'x-stream-offset' for {queue}: "
             '{invalid_stream_offset_arg,{longstr,<<"0s">>}}')
    assert refused(connect, lambda ch: ch.basic_get("no")) == (540, unsupported.format("basic.get"))
    assert refused(connect, lambda ch: ch.queue_purge("no")) == (540, unsupported.format("queue.purge"))
    for wrong in ({"durable": False}, {"durable": True, "exclusive": True}, {"durable": True, "auto_delete": True}):
        assert refused(connect, lambda ch: ch.queue_declare(
            "bad", arguments={"x-queue-type": "stream"}, **wrong))[0] == 406


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_other_queues_know_no_offsets(channel, connect, kind):
    channel.queue_delete("flat")
    channel.queue_declare("flat", durable=True, arguments={"x-queue-type": kind})
    assert refused(connect, lambda ch: ch.basic_consume("flat", print, arguments={"x-stream-offset": "first"})) == (
        406, f"PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue 'flat' in vhost '/' of queue type rabbit_{kind}_queue")


@pytest.mark.parametrize("give_back", [lambda ch, tag: ch.basic_nack(tag), lambda ch, tag: ch.basic_reject(tag),
                                       lambda ch, tag: ch.basic_nack(tag, requeue=False)])
def test_nothing_can_be_given_back(channel, connect, give_back):
    declare(channel, "back")
    append(channel, "back", "a")

    def consume_and_give_back(channel):
        reader = Reader(channel.connection, "back", "first", ack=False)
        reader.read(1)
        give_back(reader.channel, reader.tags[0])
        reader.nothing_more()

    assert refused(connect, consume_and_give_back) == (
        540, "NOT_IMPLEMENTED - basic.nack and basic.reject not supported by stream queues queue 'back' in vhost '/'")


def test_exclusive_consumers_and_conditions_of_delete_mean_nothing_to_a_stream(channel):
    declare(channel, "plain")
    append(channel, "plain", "a")
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume("plain", print, exclusive=True)
    channel.basic_consume("plain", print, exclusive=True)
    until("it has its message", lambda: channel.queue_declare("plain", passive=True).method.message_count == 1)
    answer = channel.queue_delete("plain", if_unused=True, if_empty=True).method
    assert answer.message_count == 0


def test_transactions_append_at_commit(channel, connect):
    declare(channel, "tx")
    own = connect().channel()
    own.tx_select()
    own.basic_publish("", "tx", "rolled back")
    own.tx_rollback()
    own.basic_publish("", "tx", "a")
    own.tx_commit()
    assert Reader(channel.connection, "tx", "first").read(1) == [(0, "a")]


def test_retention_drops_whole_segments_from_the_front(channel):
    declare(channel, "short", max_length_bytes=20000, stream_max_segment_size_bytes=2000)
    append(channel, "short", *[f"{number:03}" + "x" * 497 for number in range(200)])
    reader = Reader(channel.connection, "short", "first", prefetch=1000)
    first = int(reader.read(1)[0][1][:3])
    assert 150 <= first <= 185
    # RabbitMQ's own entries take offsets too, so bodies are counted here.
    assert [int(body[:3]) for _, body in reader.read(200 - first)] == list(range(first, 200))
    offsets = [offset for offset, _ in reader.seen]
    assert offsets == sorted(set(offsets))
    assert Reader(channel.connection, "short", 3).read(1)[0] == reader.seen[0]  # what is gone counts as the first there is


def test_age_drops_segments(channel):
    declare(channel, "young", max_age="1s", stream_max_segment_size_bytes=1000)
    append(channel, "young", *[b"x" * 500] * 10)
    time.sleep(2.2)
    append(channel, "young", *[b"y" * 500] * 6)
    reader = Reader(channel.connection, "young", "first")
    assert reader.read(1)[0][1].startswith("y") or reader.read(1)[0][0] >= 8


@pytest.mark.skipif(bool(OTHER), reason="kills its node")
def test_confirmed_messages_keep_their_offsets_through_a_kill(new_node):
    node = new_node().start()
    channel = node.pika().channel()
    declare(channel, "kept", stream_max_segment_size_bytes=20000)
    for life in range(3):
        append(channel, "kept", *[f"{life}.{i}" for i in range(100)], delivery_mode=1)
        before = Reader(channel.connection, "kept", "first", prefetch=1000).read(100 * (life + 1))
        node.kill()
        node.start()
        channel = node.pika().channel()
        assert Reader(channel.connection, "kept", "first", prefetch=1000).read(100 * (life + 1)) == before
        assert [offset for offset, _ in before] == list(range(100 * (life + 1)))
        assert channel.queue_declare("kept", passive=True).method.message_count == 100 * (life + 1)


@pytest.mark.skipif(bool(OTHER), reason="measures its node")
def test_a_long_stream_needs_little_memory_and_is_read_back(new_node):
    node = new_node().start()
    channel = node.pika().channel()
    declare(channel, "long")
    before = own_mib(node.pid)
    count, body = 3000, b"x" * 65536
    channel.confirm_delivery()
    other = node.pika().channel()  # without confirms: pika would wait for each
    for _ in range(count):
        other.basic_publish("", "long", body)
    until("all are there", lambda: channel.queue_declare("long", passive=True).method.message_count == count)
    assert SANITIZED or own_mib(node.pid) - before < 190 / 2, "of 187 MiB of messages"
    reader = Reader(channel.connection, "long", "first", prefetch=100)
    assert [offset for offset, _ in reader.read(count)] == list(range(count))
    assert SANITIZED or own_mib(node.pid) - before < 190 / 2

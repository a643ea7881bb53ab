"""AMQP as pika sees it: routing, acknowledgement, confirms, ownership, errors, durability."""

import itertools
import re
import threading
import time

import pika
import pytest
from pamqp import commands

from conftest import DEADLINE_S, until
from wire import HEADER, Wire, frame, header_payload, method, publish

TRANSIENT = pika.BasicProperties(delivery_mode=1)
PERSISTENT = pika.BasicProperties(delivery_mode=2)


@pytest.fixture
def channel(node):
    connection = node.pika()
    yield connection.channel()
    if connection.is_open:
        connection.close()


def drain(channel, queue):
    """Bodies of all that is ready."""
    bodies = []
    while True:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            return bodies
        bodies.append(body.decode())


def queue_of(channel, **options):
    return channel.queue_declare("", exclusive=True, **options).method.queue


def take(channel, queue, count, **options):
    taken = []
    for method, properties, body in channel.consume(queue, inactivity_timeout=DEADLINE_S, **options):
        assert method, f"only {len(taken)} of {count} came"
        taken.append((method, properties, body.decode()))
        if len(taken) == count:
            return taken


@pytest.mark.parametrize("kind, binding, keys, expected", [
    ("direct", "a.b", ["a.b", "a.c", "a"], ["a.b"]),
    ("fanout", "", ["a.b", "", "x"], ["a.b", "", "x"]),
    ("topic", "a.*.c", ["a.b.c", "a.c", "a.b.b.c"], ["a.b.c"]),
    ("topic", "a.#", ["a", "a.b", "a.b.c", "b"], ["a", "a.b", "a.b.c"]),
    ("topic", "#.z", ["z", "a.z", "z.a"], ["z", "a.z"]),
])
def test_exchanges_route_by_key(channel, kind, binding, keys, expected):
    queue = queue_of(channel)
    channel.exchange_declare("x", kind, auto_delete=True)
    channel.queue_bind(queue, "x", binding)
    for key in keys:
        channel.basic_publish("x", key, key.encode())
    assert drain(channel, queue) == expected


def test_headers_exchange(channel):
    channel.exchange_declare("h", "headers", auto_delete=True)
    both, either = queue_of(channel), queue_of(channel)
    channel.queue_bind(both, "h", "", {"x-match": "all", "type": "call", "n": 1})
    channel.queue_bind(either, "h", "", {"x-match": "any", "type": "call", "n": 1})
    for name, headers in (("ab", {"type": "call", "n": 1}), ("a", {"type": "call"}), ("none", {"type": "sms"})):
        channel.basic_publish("h", "", name.encode(), pika.BasicProperties(headers=headers))
    assert drain(channel, both) == ["ab"]
    assert drain(channel, either) == ["ab", "a"]


def test_properties_and_body_arrive_unchanged(channel):
    queue = queue_of(channel)
    sent = pika.BasicProperties(content_type="application/json", content_encoding="utf-8", headers={"k": [1, "two", {"t": True}]},
                                delivery_mode=2, priority=3, correlation_id="c", reply_to="r", expiration="60000",
                                message_id="m", timestamp=1768910400, type="t", user_id="guest", app_id="a")
    for body in (b"", b"x", b"y" * 131064, b"z" * 131065, bytes(range(256)) * 8192):
        channel.basic_publish("", queue, body, sent)
        method, got, received = channel.basic_get(queue, auto_ack=True)
        assert received == body and got == sent and method.routing_key == queue


def test_mandatory_messages_without_a_queue_come_back(channel):
    returned = []
    channel.add_on_return_callback(lambda ch, method, properties, body: returned.append((method.reply_code, body)))
    channel.basic_publish("amq.direct", "nowhere", b"back", mandatory=True)
    channel.basic_publish("amq.direct", "nowhere", b"gone")
    until("the return", lambda: channel.connection.process_data_events(0.05) or returned)
    assert returned == [(312, b"back")]


def test_requeued_messages_come_back_in_order_and_marked(channel):
    queue = queue_of(channel)
    for body in "abc":
        channel.basic_publish("", queue, body.encode())
    first = take(channel, queue, 3)
    assert [(b, m.redelivered) for m, _, b in first] == [("a", False), ("b", False), ("c", False)]
    channel.basic_ack(first[1][0].delivery_tag)
    channel.basic_nack(first[2][0].delivery_tag, multiple=True, requeue=True)
    again = take(channel, queue, 2)
    assert [(b, m.redelivered) for m, _, b in again] == [("a", True), ("c", True)]
    channel.basic_reject(again[0][0].delivery_tag, requeue=False)
    channel.basic_ack(again[1][0].delivery_tag)
    channel.cancel()
    assert drain(channel, queue) == []


def test_what_a_closed_channel_had_goes_back(node, channel):
    queue = channel.queue_declare("", auto_delete=False).method.queue
    for body in "ab":
        channel.basic_publish("", queue, body.encode())
    other = node.pika()
    take(other.channel(), queue, 2)
    other.close()
    until("both are ready again", lambda: channel.queue_declare(queue, passive=True).method.message_count == 2)
    assert [(b, m.redelivered) for m, _, b in take(channel, queue, 2)] == [("a", True), ("b", True)]
    channel.queue_delete(queue)


def test_prefetch_bounds_what_is_out(channel):
    queue = queue_of(channel)
    channel.basic_qos(prefetch_count=2)
    for n in range(5):
        channel.basic_publish("", queue, str(n).encode())
    taken = []
    channel.basic_consume(queue, lambda ch, method, properties, body: taken.append((method.delivery_tag, body)))
    until("two are out", lambda: channel.connection.process_data_events(0.05) or len(taken) == 2)
    channel.connection.process_data_events(0.2)
    assert len(taken) == 2
    channel.basic_ack(taken[0][0])
    until("one more", lambda: channel.connection.process_data_events(0.05) or len(taken) == 3)
    assert [b for _, b in taken] == [b"0", b"1", b"2"]


def test_global_prefetch_bounds_the_channel(channel):
    channel.basic_qos(prefetch_count=3, global_qos=True)
    taken = []
    for queue in (queue_of(channel), queue_of(channel)):
        for n in range(4):
            channel.basic_publish("", queue, str(n).encode())
        channel.basic_consume(queue, lambda ch, method, properties, body: taken.append(method.delivery_tag))
    until("three are out", lambda: channel.connection.process_data_events(0.05) or len(taken) >= 3)
    channel.connection.process_data_events(0.2)
    assert len(taken) == 3
    channel.basic_ack(0, multiple=True)
    until("three more", lambda: channel.connection.process_data_events(0.05) or len(taken) >= 6)


def test_consumers_share_a_queue_in_turn(channel):
    queue = queue_of(channel)
    taken = {"a": [], "b": []}
    for name in taken:
        channel.basic_consume(queue, lambda ch, m, p, body, name=name: taken[name].append(body), auto_ack=True)
    for n in range(6):
        channel.basic_publish("", queue, str(n).encode())
    until("all came", lambda: channel.connection.process_data_events(0.05) or sum(map(len, taken.values())) == 6)
    assert [len(v) for v in taken.values()] == [3, 3]


def test_confirms(channel):
    channel.confirm_delivery()
    queue = queue_of(channel)
    channel.basic_publish("", queue, b"x", TRANSIENT)
    channel.queue_declare("confirmed", durable=True)
    for _ in range(20):
        channel.basic_publish("", "confirmed", b"x", PERSISTENT)
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("", "nowhere", b"x", mandatory=True)
    channel.queue_delete("confirmed")


def test_an_exclusive_queue_is_its_connections_and_goes_with_it(node, channel):
    owner = node.pika()
    queue = owner.channel().queue_declare("mine", exclusive=True).method.queue
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
        channel.queue_declare(queue, passive=True)
    assert refused.value.reply_code == 405
    owner.close()

    def gone():
        probe = channel.connection.channel()
        try:
            probe.queue_declare(queue, passive=True)
        except pika.exceptions.ChannelClosedByBroker as closed:
            return closed.reply_code == 404
        return False

    until("the queue is gone", gone)


def test_an_auto_delete_queue_goes_with_its_last_consumer(channel):
    channel.queue_declare("brief", auto_delete=True)
    tag = channel.basic_consume("brief", lambda *_: None)
    channel.basic_cancel(tag)

    def gone():
        probe = channel.connection.channel()
        try:
            probe.queue_declare("brief", passive=True)
        except pika.exceptions.ChannelClosedByBroker as closed:
            return closed.reply_code == 404
        return False

    until("the queue is gone", gone)


def test_a_deleted_queue_cancels_its_consumers(channel):
    channel.queue_declare("doomed")
    cancelled = []
    channel.add_on_cancel_callback(cancelled.append)
    channel.basic_consume("doomed", lambda *_: None)
    other = channel.connection.channel()
    other.queue_delete("doomed")
    until("the cancel", lambda: channel.connection.process_data_events(0.05) or cancelled)


def test_purge_delete_and_counts(channel):
    queue = queue_of(channel)
    for _ in range(3):
        channel.basic_publish("", queue, b"x")
    assert channel.queue_declare(queue, passive=True).method.message_count == 3
    assert channel.queue_purge(queue).method.message_count == 3
    channel.basic_publish("", queue, b"x")
    assert channel.queue_delete(queue).method.message_count == 1


def test_exchange_to_exchange(channel):
    for name in ("first", "second"):
        channel.exchange_declare(name, "fanout")
    queue = queue_of(channel)
    channel.queue_bind(queue, "second")
    channel.exchange_bind("second", "first")
    channel.basic_publish("first", "", b"through")
    assert drain(channel, queue) == ["through"]
    channel.exchange_unbind("second", "first")
    channel.basic_publish("first", "", b"not")
    assert drain(channel, queue) == []
    for name in ("first", "second"):
        channel.exchange_delete(name)


def test_direct_reply_to(node, channel):
    queue = queue_of(channel)
    server = node.pika()

    def serve():
        work = server.channel()
        for method, properties, body in work.consume("served", inactivity_timeout=DEADLINE_S):
            work.basic_publish("", properties.reply_to, body.upper(),
                               pika.BasicProperties(correlation_id=properties.correlation_id))
            work.basic_ack(method.delivery_tag)
            return

    channel.queue_declare("served", auto_delete=True)
    worker = threading.Thread(target=serve, daemon=True)
    worker.start()
    answers = []
    channel.basic_consume("amq.rabbitmq.reply-to", lambda ch, m, p, body: answers.append((p.correlation_id, body)), auto_ack=True)
    channel.basic_publish("", "served", b"hello", pika.BasicProperties(reply_to="amq.rabbitmq.reply-to", correlation_id="7"))
    until("the answer", lambda: channel.connection.process_data_events(0.05) or answers)
    assert answers == [("7", b"HELLO")]
    channel.basic_publish("", "amq.rabbitmq.reply-to.forged", b"x", mandatory=True)  # no such name: nothing breaks
    channel.queue_declare(queue, passive=True)


def test_names_made_by_the_server_have_the_form_of_rabbitmqs(node):
    """php-amqp's own suite compares the tags and the addresses of replies with this form."""
    with Wire(node.amqp) as wire:
        wire.go("channel")
        queue = wire.call(commands.Queue.Declare(exclusive=True), commands.Queue.DeclareOk).queue
        assert re.fullmatch(r"amq\.gen-[\w-]{22}", queue)
        assert re.fullmatch(r"amq\.ctag-[\w-]{22}",
                            wire.call(commands.Basic.Consume(queue=queue), commands.Basic.ConsumeOk).consumer_tag)
        wire.call(commands.Basic.Consume(queue="amq.rabbitmq.reply-to", no_ack=True), commands.Basic.ConsumeOk)
        properties = commands.Basic.Properties(reply_to="amq.rabbitmq.reply-to").marshal()
        wire.send(publish(1, "", queue, b"", properties))
        wire.expect(commands.Basic.Deliver)
        _, _, content = wire.frame()
        assert re.search(rb"amq\.rabbitmq\.reply-to\.[\w-]+\.[\w-]+==$", content)


def test_confirms_of_earlier_messages_come_before_a_return(node):
    """Also if all come in one read: php-amqp's own suite waits for ack, return, ack."""
    with Wire(node.amqp) as wire:
        wire.go("channel")
        wire.call(commands.Confirm.Select(), commands.Confirm.SelectOk)
        mandatory = (method(1, commands.Basic.Publish(routing_key="nowhere", mandatory=True)) +
                     frame(HEADER, 1, header_payload(0)))
        wire.send(2 * publish(1, "", "nowhere", b"") + mandatory + publish(1, "", "nowhere", b""))
        assert (wire.expect(commands.Basic.Ack).delivery_tag, wire.expect(commands.Basic.Return).reply_code) == (2, 312)
        last = 2
        while last < 4:
            last = wire.expect(commands.Basic.Ack).delivery_tag


@pytest.mark.parametrize("code, provoke", [
    (404, lambda c: c.basic_publish("no-such-exchange", "", b"x") or c.queue_declare("")),
    (406, lambda c: (c.queue_declare("again", auto_delete=True), c.queue_declare("again", auto_delete=True, durable=True))),
    (403, lambda c: c.queue_declare("amq.mine")),
    (403, lambda c: c.exchange_delete("amq.direct")),
    (406, lambda c: c.basic_ack(7) or c.queue_declare("")),
    (404, lambda c: c.queue_bind("no-such-queue", "amq.fanout")),
    (406, lambda c: c.basic_publish("", "q", b"x", pika.BasicProperties(user_id="somebody")) or c.queue_declare("")),
])
def test_channel_errors_close_the_channel_only(channel, code, provoke):
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
        provoke(channel)
    assert refused.value.reply_code == code
    assert channel.connection.channel().queue_declare("", exclusive=True).method.queue.startswith("amq.gen-")


def test_acks_that_meet_a_deleted_queue_do_no_harm(node):
    consumer, other = node.pika().channel(), node.pika().channel()
    other.queue_declare("brief")
    for _ in range(20):
        other.basic_publish("", "brief", b"x")
    consumer.basic_qos(prefetch_count=10)
    tags = [method.delivery_tag for method, _, _ in itertools.islice(consumer.consume("brief"), 10)]
    other.queue_delete("brief")
    for tag in tags:
        consumer.basic_ack(tag)
    # The connection serves as before.
    consumer.queue_declare("next", exclusive=True)
    consumer.basic_publish("", "next", b"y")
    until("the message is there", lambda: consumer.basic_get("next", auto_ack=True)[2] == b"y")


def test_many_channels_on_one_connection(channel):
    channels = [channel.connection.channel() for _ in range(200)]
    for one in channels:
        one.queue_declare("", exclusive=True)
    for one in channels:
        one.close()


def test_heartbeats_keep_a_silent_connection_and_cut_a_dead_one(node):
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", node.amqp, heartbeat=1))
    connection.process_data_events(time_limit=3)
    assert connection.is_open
    # From here on the client says nothing: neither heartbeats nor anything else.
    sock = connection._impl._transport._sock
    began = time.monotonic()
    sock.setblocking(True)
    sock.settimeout(DEADLINE_S)
    try:
        while sock.recv(4096):
            pass
    except ConnectionResetError:
        pass  # as RabbitMQ cuts
    assert 1.5 < time.monotonic() - began < 6


def test_durable_things_survive_a_crash(node):
    connection = node.pika()
    channel = connection.channel()
    channel.confirm_delivery()
    channel.exchange_declare("keep.x", "topic", durable=True)
    channel.queue_declare("keep.q", durable=True, arguments={"x-note": "kept"})
    channel.queue_declare("lose.q")
    channel.queue_bind("keep.q", "keep.x", "a.#")
    for n in range(100):
        channel.basic_publish("keep.x", "a.b", str(n).encode(), PERSISTENT)
    channel.basic_publish("keep.x", "a.b", b"transient", TRANSIENT)
    taken = take(channel, "keep.q", 10)
    channel.basic_ack(taken[-1][0].delivery_tag, multiple=True)
    node.kill()
    node.start()
    channel = node.pika().channel()
    # An ack that was not on disk yet may bring its message back; nothing else may change.
    left = drain(channel, "keep.q")
    assert left == [str(n) for n in range(100 - len(left), 100)] and len(left) >= 90
    channel.basic_publish("keep.x", "a.z", b"still bound")
    assert drain(channel, "keep.q") == ["still bound"]
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        channel.queue_declare("lose.q", passive=True)

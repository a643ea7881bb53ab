"""Durable subscriptions (seed 002) with pika: nothing is missed by who is away, groups of consumers keep the order of each
resource, and each event comes once."""

import collections
import json
import random
import time

import pika

from conftest import CUSTOMER, until

SEED = 20261121


def subscribe(channel, name, **arguments):
    channel.queue_declare(name, durable=True, arguments={f"x-{key.replace('_', '-')}": value
                                                         for key, value in arguments.items()})
    channel.queue_bind(name, "call.events")


def make_calls(rpc, node, count):
    ask = rpc(node)
    made = [ask("call", "POST", "/v1/calls", {"source": "+15551230000", "destination": "+15559990000"})
            for _ in range(count)]
    assert all(answer["status_code"] == 200 for answer in made)
    return [answer["body"]["id"] for answer in made]


def drain(channel, queue, count):
    taken = []

    def one():
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if method:
            taken.append((properties, json.loads(body)))
        return len(taken) >= count

    until(f"{count} messages in {queue}", one)
    return taken


def test_who_is_away_misses_nothing_and_gets_it_in_order(node, rpc):
    connection = node.pika()
    subscribe(connection.channel(), "billing")
    connection.close()
    calls = make_calls(rpc, node, 3)
    status = until("the calls are answered", lambda: (node.request("GET", "/api/queues/%2F/billing", headers={
        "Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q="}, port=node.admin)[1].get("messages", 0) >= 6))
    assert status
    node.kill()
    node.start()
    connection = node.pika()
    seen = drain(connection.channel(), "billing", 6)
    for call in calls:
        types = [event["event_type"] for _, event in seen if event["resource_id"] == call]
        assert types[:2] == ["call.created", "call.ringing"], types
    for properties, event in seen:
        assert properties.message_id == event["event_id"]
        assert properties.headers["resource_id"] == event["resource_id"]
        assert properties.headers["customer_id"] == CUSTOMER
    connection.close()


def test_unregistered_means_nothing_is_kept(node, rpc):
    connection = node.pika()
    channel = connection.channel()
    subscribe(channel, "gone")
    subscribe(channel, "stays")
    channel.queue_delete("gone")
    channel.queue_unbind("stays", "call.events")
    make_calls(rpc, node, 1)
    assert channel.queue_declare("stays", passive=True).method.message_count == 0
    connection.close()


def test_a_repeated_event_comes_once(node):
    connection = node.pika()
    channel = connection.channel()
    channel.exchange_declare("call.events", "fanout", durable=True)
    subscribe(channel, "once", deduplicate_window=60_000)
    channel.confirm_delivery()

    def publish(event_id):
        channel.basic_publish("call.events", "call.created", event_id.encode(),
                              pika.BasicProperties(message_id=event_id, delivery_mode=2))

    for event_id in ("e-1", "e-1", "e-2"):
        publish(event_id)
    for expected in (b"e-1", b"e-2"):
        method, _, body = channel.basic_get("once")
        assert body == expected
        channel.basic_ack(method.delivery_tag)
    publish("e-1")  # was acknowledged
    time.sleep(0.2)  # the ack is on disk a moment later
    node.kill()
    node.start()
    connection = node.pika()
    channel = connection.channel()
    channel.confirm_delivery()
    publish("e-1")
    publish("e-3")
    assert channel.basic_get("once")[2] == b"e-3"
    connection.close()


def test_a_group_of_consumers_keeps_the_order_of_each_call(node):
    """Five consumers with failures, requeues, a consumer that dies and a kill of the node in the middle."""
    dice = random.Random(SEED)
    connection = node.pika()
    channel = connection.channel()
    channel.exchange_declare("call.events", "fanout", durable=True)
    subscribe(channel, "group", group_by="resource_id", retry_min=20, retry_max=40, retry_limit=1000)
    channel.confirm_delivery()
    calls = [f"call-{number}" for number in range(20)]
    for step in range(10):
        for call in calls:
            channel.basic_publish("call.events", "call.changed", b"%d" % step, pika.BasicProperties(
                headers={"resource_id": call}, message_id=f"{call}-{step}", delivery_mode=2))
    connection.close()
    done = collections.defaultdict(list)
    homes = collections.defaultdict(set)

    def work(connections, enough):
        for number, each in enumerate(connections):
            channel = each.channel()
            channel.basic_qos(prefetch_count=5)

            def on_message(ch, method, properties, body, who=(id(connections), number)):
                call, step = properties.headers["resource_id"], int(body)
                fate = dice.random()
                if fate < 0.1:
                    ch.basic_nack(method.delivery_tag, requeue=False)
                elif fate < 0.2:
                    ch.basic_nack(method.delivery_tag, requeue=True)
                else:
                    if step not in done[call]:  # its ack may not have reached the disk before the kill
                        done[call].append(step)
                        if sum(map(len, done.values())) > 130:  # what was out while the others came is over by then
                            homes[call].add(who)
                    ch.basic_ack(method.delivery_tag)

            channel.basic_consume("group", on_message)
        end = time.monotonic() + 60
        while sum(map(len, done.values())) < enough:
            assert time.monotonic() < end, dict(done)
            for each in connections:
                each.process_data_events(0.01)

    connections = [node.pika() for _ in range(5)]
    work(connections, 60)
    connections.pop().close()
    node.kill()
    node.start()
    connections = [node.pika() for _ in range(5)]
    work(connections, 200)
    assert {call: steps for call, steps in done.items()} == {call: list(range(10)) for call in calls}
    assert all(len(who) <= 1 for who in homes.values()), "a call has one consumer as long as the same ones consume"
    assert len(set().union(*homes.values())) >= 3, "and they share the calls"
    for each in connections:
        each.close()

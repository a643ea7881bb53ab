"""What x- arguments, CC/BCC and tx promise (RabbitMQ 3.10), seen by pika. They run against RabbitMQ too
(either_broker.py)."""

import time

import pika
import pytest

from conftest import until
from either_broker import OTHER, channel, connect  # noqa: F401 (fixtures)


def declare(channel, name, **arguments):
    arguments = {"x-" + key.replace("_", "-"): value for key, value in arguments.items()}
    durable = arguments.get("x-queue-type") == "quorum"
    channel.queue_delete(name)
    channel.queue_declare(name, durable=durable, arguments=arguments)


def put(channel, queue, *bodies, **properties):
    for body in bodies:
        channel.basic_publish("", queue, body, pika.BasicProperties(**properties))


def take(channel, queue):
    """The next message as (method, properties, body), once it is there."""
    def got():
        method, properties, body = channel.basic_get(queue)
        return (method, properties, body.decode()) if method else None
    return until(f"a message in {queue}", got)


def take_all(channel, queue):
    bodies = []
    while True:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if not method:
            return bodies
        bodies.append(body.decode())


def count(channel, queue):
    return channel.queue_declare(queue, passive=True).method.message_count


def test_expired_messages_are_dead_lettered_with_their_story(channel):
    declare(channel, "grave")
    declare(channel, "short", message_ttl=50, dead_letter_exchange="", dead_letter_routing_key="grave")
    put(channel, "short", "a", expiration="20", headers={"mine": 1})
    method, properties, body = take(channel, "grave")
    assert (body, method.routing_key, properties.expiration) == ("a", "grave", None)
    assert properties.headers["mine"] == 1
    assert properties.headers["x-first-death-reason"] == "expired"
    assert properties.headers["x-first-death-queue"] == "short"
    assert properties.headers["x-first-death-exchange"] == ""
    death, = properties.headers["x-death"]
    assert abs(death.pop("time").timestamp() - time.time()) < 60 + time.timezone
    assert death == {"count": 1, "reason": "expired", "queue": "short", "exchange": "", "routing-keys": ["short"],
                     "original-expiration": "20"}
    put(channel, "short", "b")  # by the queue's own time
    assert take(channel, "grave")[2] == "b"


def test_a_time_to_live_of_zero_is_for_whoever_waits(channel, connect):
    declare(channel, "now", message_ttl=0)
    put(channel, "now", "nobody waits")
    until("it is gone", lambda: count(channel, "now") == 0)
    consumer = connect().channel()
    seen = []
    consumer.basic_consume("now", lambda c, m, p, body: seen.append(body), auto_ack=True)
    put(channel, "now", "here")
    consumer.connection.process_data_events(time_limit=1)
    while not seen:
        consumer.connection.process_data_events(time_limit=1)
    assert seen == [b"here"]


def test_rejected_messages_go_round_by_dead_letter_and_count_up(channel):
    declare(channel, "wait", message_ttl=20, dead_letter_exchange="", dead_letter_routing_key="work")
    declare(channel, "work", dead_letter_exchange="", dead_letter_routing_key="wait")
    put(channel, "work", "task")
    for attempt in range(1, 4):
        method, properties, _ = take(channel, "work")
        deaths = (properties.headers or {}).get("x-death", [])
        rejections = [d["count"] for d in deaths if d["reason"] == "rejected"]
        assert rejections == ([attempt - 1] if attempt > 1 else [])
        if attempt > 1:
            assert [d["reason"] for d in deaths] == ["expired", "rejected"]
        channel.basic_reject(method.delivery_tag, requeue=False)
    take(channel, "work")


def test_what_the_last_consumer_of_an_auto_delete_queue_had_goes_with_the_queue(channel, connect):
    declare(channel, "grave")
    reader = connect().channel()
    reader.queue_declare("brief", auto_delete=True, arguments={
        "x-message-ttl": 0, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "grave"})
    got = []
    reader.basic_consume("brief", lambda *delivery: got.append(delivery[3]))
    put(channel, "brief", "a")
    reader.connection.process_data_events(1)
    assert got == [b"a"]
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):  # pika would cancel before it closes
        reader.queue_declare("nobody has this", passive=True)

    def is_gone():
        try:
            connect().channel().queue_declare("brief", passive=True)
        except pika.exceptions.ChannelClosedByBroker as why:
            return why.reply_code == 404
    until("the queue to go", is_gone)
    time.sleep(0.2)
    assert count(channel, "grave") == 0


def test_a_circle_that_nobody_breaks_is_cut(channel):
    declare(channel, "one", message_ttl=10, dead_letter_exchange="", dead_letter_routing_key="two")
    declare(channel, "two", message_ttl=10, dead_letter_exchange="", dead_letter_routing_key="one")
    declare(channel, "after", message_ttl=100, dead_letter_exchange="", dead_letter_routing_key="end")
    declare(channel, "end")
    put(channel, "one", "x")
    put(channel, "after", "later")
    take(channel, "end")
    assert count(channel, "one") == count(channel, "two") == 0


def test_a_full_queue_drops_its_head(channel):
    declare(channel, "dropped")
    declare(channel, "last", max_length=2, dead_letter_exchange="", dead_letter_routing_key="dropped")
    put(channel, "last", "a", "b", "c")
    _, properties, body = take(channel, "dropped")
    assert (body, properties.headers["x-first-death-reason"]) == ("a", "maxlen")
    assert take_all(channel, "last") == ["b", "c"]
    declare(channel, "bytes", max_length_bytes=5)
    put(channel, "bytes", "aaa", "bbb", "cc")
    until("the first is gone", lambda: count(channel, "bytes") == 2)
    assert take_all(channel, "bytes") == ["bbb", "cc"]


@pytest.mark.parametrize("durable", [False, True])
def test_a_full_queue_that_refuses_nacks_each_publish(channel, durable):
    channel.queue_delete("full")
    channel.queue_declare("full", durable=durable, arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
    channel.confirm_delivery()
    outcomes = []
    for body in "abcd":
        try:
            channel.basic_publish("", "full", body, pika.BasicProperties(delivery_mode=2))
            outcomes.append("ack")
        except pika.exceptions.NackError:
            outcomes.append("nack")
    assert outcomes == ["ack", "ack", "nack", "nack"]
    assert take_all(channel, "full") == ["a", "b"]
    channel.basic_publish("", "full", b"e")
    assert take_all(channel, "full") == ["e"]
    channel.queue_delete("full")


def test_refused_publishes_are_dead_lettered_where_asked(channel):
    declare(channel, "over")
    declare(channel, "brim", max_length=1, overflow="reject-publish-dlx", dead_letter_exchange="",
            dead_letter_routing_key="over")
    put(channel, "brim", "a", "b")
    assert take(channel, "over")[2] == "b"
    assert take_all(channel, "brim") == ["a"]


def test_higher_priorities_come_first(channel):
    declare(channel, "ranks", max_priority=3)
    put(channel, "ranks", "none")
    for priority in (1, 3, 2, 9):
        put(channel, "ranks", f"p{priority}", priority=priority)
    until("all are there", lambda: count(channel, "ranks") == 5)
    assert take_all(channel, "ranks") == ["p3", "p9", "p2", "p1", "none"]


def test_one_consumer_at_a_time(channel, connect):
    declare(channel, "single", single_active_consumer=True)
    seen = []
    consumers = []
    for name in ("first", "second"):
        own = connect().channel()
        own.basic_consume("single", lambda c, m, p, body, name=name: seen.append((name, body.decode())), auto_ack=True)
        consumers.append(own)

    def consume_until(number):
        while len(seen) < number:
            for own in consumers:
                own.connection.process_data_events(time_limit=0.05)

    put(channel, "single", "a", "b", "c")
    consume_until(3)
    consumers.pop(0).connection.close()
    put(channel, "single", "d")
    consume_until(4)
    assert seen == [("first", "a"), ("first", "b"), ("first", "c"), ("second", "d")]


def test_a_message_that_comes_back_too_often_is_given_up(channel):
    channel.queue_delete("poison")
    declare(channel, "hospital")
    declare(channel, "poison", queue_type="quorum", delivery_limit=2, dead_letter_exchange="",
            dead_letter_routing_key="hospital")
    put(channel, "poison", "x", delivery_mode=2)
    for back in range(3):
        method, properties, _ = take(channel, "poison")
        assert (properties.headers or {}).get("x-delivery-count", 0) == back
        channel.basic_nack(method.delivery_tag, requeue=True)
    _, properties, _ = take(channel, "hospital")
    assert properties.headers["x-first-death-reason"] == "delivery_limit"
    channel.queue_delete("poison")


def test_an_unused_queue_goes(channel, connect):
    declare(channel, "brief", expires=300)
    own = connect().channel()
    own.basic_consume("brief", lambda *_: None)
    time.sleep(0.6)  # twice its time: a consumer keeps it
    assert count(channel, "brief") == 0
    own.connection.close()

    def gone():
        time.sleep(0.6)  # asking is using it
        probe = channel.connection.channel()
        try:
            probe.queue_declare("brief", passive=True)
            return probe.close()
        except pika.exceptions.ChannelClosedByBroker as error:
            return error.reply_code
    assert until("the queue goes", gone) == 404


def test_a_publisher_names_further_keys(channel):
    for name in ("to", "copy", "blind"):
        declare(channel, name)
    put(channel, "to", "hello", headers={"CC": ["copy", "to"], "BCC": ["blind"], "mine": "1"})
    for name in ("to", "copy", "blind"):
        _, properties, body = take(channel, name)
        assert (body, properties.headers) == ("hello", {"CC": ["copy", "to"], "mine": "1"})
        assert take_all(channel, name) == []
    put(channel, "to", "wrong", headers={"CC": "copy"})
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as error:
        channel.queue_declare("to", passive=True)
    assert error.value.reply_code == 406


def test_further_keys_count_at_every_exchange_on_the_way(channel):
    declare(channel, "far")
    declare(channel, "spare")
    channel.exchange_declare("near", "direct", auto_delete=True, arguments={"alternate-exchange": "lost"})
    channel.exchange_declare("inner", "topic", auto_delete=True)
    channel.exchange_declare("lost", "fanout", auto_delete=True)
    channel.exchange_bind("inner", "near", "first")
    channel.queue_bind("far", "inner", "second")
    channel.queue_bind("spare", "lost")
    channel.basic_publish("near", "none", b"x", pika.BasicProperties(headers={"CC": ["first"], "BCC": ["second"]}))
    assert take_all(channel, "far") == ["x"]
    assert take_all(channel, "spare") == []  # one of its keys was taken
    channel.basic_publish("near", "none", b"y", pika.BasicProperties(headers={"CC": ["neither"]}))
    assert take_all(channel, "spare") == ["y"]


def test_a_prefetch_for_the_channel_counts_for_running_consumers_but_not_gets(channel):
    declare(channel, "work")
    channel.basic_qos(prefetch_count=1, global_qos=True)
    put(channel, "work", *"abcde")
    taken = []
    channel.basic_consume("work", lambda own, method, properties, body: taken.append(method.delivery_tag))

    def out(number):
        until(f"{number} are out", lambda: channel.connection.process_data_events(0.05) or len(taken) >= number)
        channel.connection.process_data_events(0.1)
        assert len(taken) == number
    out(1)
    channel.basic_get("work")
    channel.basic_ack(taken[0])
    out(2)
    channel.basic_qos(prefetch_count=2, global_qos=True)
    out(3)
    channel.basic_qos(prefetch_count=0, global_qos=True)
    out(4)


def test_what_a_transaction_acknowledged_is_neither_recovered_nor_acknowledged_again(channel):
    declare(channel, "once")
    put(channel, "once", "a")
    channel.tx_select()
    tag = take(channel, "once")[0].delivery_tag
    channel.basic_ack(tag)
    channel.basic_recover(requeue=True)
    assert count(channel, "once") == 0
    channel.basic_ack(tag)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as error:
        channel.tx_commit()
    assert (error.value.reply_code, error.value.reply_text) == (
        406, f"PRECONDITION_FAILED - unknown delivery tag {tag}")


def test_transactions_take_effect_at_the_commit(channel, connect):
    declare(channel, "ledger")
    other = connect().channel()
    channel.tx_select()
    put(channel, "ledger", "a", "b")
    assert count(other, "ledger") == 0
    channel.tx_commit()
    assert count(other, "ledger") == 2
    put(channel, "ledger", "c")
    channel.tx_rollback()
    method, _, body = channel.basic_get("ledger")
    channel.basic_ack(method.delivery_tag)
    channel.tx_rollback()  # the message is out still, and may be acknowledged again
    channel.basic_ack(method.delivery_tag)
    channel.tx_commit()
    channel.connection.close()
    assert (body, take_all(other, "ledger")) == (b"a", ["b"])


def test_a_commit_that_a_full_queue_refuses_fails(channel):
    declare(channel, "cap", max_length=1, overflow="reject-publish")
    channel.tx_select()
    put(channel, "cap", "a", "b")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as error:
        channel.tx_commit()
    assert (error.value.reply_code, error.value.reply_text) == (406, "PRECONDITION_FAILED - partial tx completion")


def test_an_acknowledgement_of_all_in_a_transaction_means_all_there_is_now(channel, connect):
    declare(channel, "early")
    put(channel, "early", "a", "b")
    channel.tx_select()
    take(channel, "early"), take(channel, "early")
    channel.basic_ack(0, multiple=True)
    other = connect().channel()
    put(other, "early", "c")
    take(channel, "early")
    channel.tx_commit()
    channel.connection.close()
    assert take_all(other, "early") == ["c"]


def test_a_returned_message_expires_in_the_end(channel):
    declare(channel, "dust")
    declare(channel, "again", message_ttl=200, dead_letter_exchange="", dead_letter_routing_key="dust")
    put(channel, "again", "x")
    returned = []

    def back(own, method, properties, body):
        returned.append(body)
        own.basic_nack(method.delivery_tag, requeue=True)
    channel.basic_qos(prefetch_count=1)
    tag = channel.basic_consume("again", back)

    def expired():
        channel.connection.process_data_events(time_limit=0.01)
        return count(channel, "dust")
    until("it is dead", expired)
    channel.basic_cancel(tag)
    assert len(returned) > 1


def test_transactions_and_confirms_exclude_each_other(channel):
    channel.tx_select()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as error:
        channel.confirm_delivery()
    assert (error.value.reply_code, error.value.reply_text) == (
        406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode")


@pytest.mark.skipif(bool(OTHER), reason="needs a node it may kill")
def test_dead_letters_survive_a_crash_once(new_node):
    node = new_node().start()
    channel = node.pika().channel()
    for name, arguments in (("dead", {}), ("work", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})):
        channel.queue_declare(name, durable=True, arguments=arguments)
    channel.confirm_delivery()
    for number in range(50):
        channel.basic_publish("", "work", str(number), pika.BasicProperties(delivery_mode=2))
    for _ in range(50):
        channel.basic_reject(take(channel, "work")[0].delivery_tag, requeue=False)
    until("all are dead", lambda: count(channel, "dead") == 50)
    channel.basic_publish("", "work", b"last", pika.BasicProperties(delivery_mode=2))  # its sync covers the rest
    node.kill()
    node.start()
    channel = node.pika().channel()
    assert take_all(channel, "dead") == [str(number) for number in range(50)]
    assert take_all(channel, "work") == ["last"]


@pytest.mark.skipif(bool(OTHER), reason="needs a bound of its own")
def test_publishers_are_told_that_they_are_blocked_and_http_says_503(new_node):
    node = new_node("broker.memory_bytes_max=16MiB").start()
    said = []
    connection = node.pika()
    connection.add_on_connection_blocked_callback(lambda c, frame: said.append(frame.method.reason))
    connection.add_on_connection_unblocked_callback(lambda c, frame: said.append("unblocked"))
    channel = connection.channel()
    channel.queue_declare("pile")
    taker = node.pika()  # what is out, unsettled, must be in memory; what waits goes to disk instead
    taker.channel().basic_consume("pile", lambda *_: None)

    def blocked():
        if not said:
            channel.basic_publish("", "pile", b"x" * 131072)
        taker.process_data_events(0.001)
        connection.process_data_events(0.001)
        return said

    until("it is blocked", blocked)
    status, body = node.request("POST", "/v1/calls", {})
    assert (status, body["error"]["reason"]) == (503, "memory")
    taker.close()  # its connection has not published, so it is served
    until("it goes on", lambda: connection.process_data_events(0.05) or said[-1] == "unblocked")
    assert said[0] == "low on memory"
    channel.queue_delete("pile")

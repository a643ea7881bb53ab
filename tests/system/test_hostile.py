"""Hostile AMQP: raw sockets that lie about lengths, orders, names and numbers. Each test is one class of the past
vulnerabilities of AMQP brokers and clients; tests/system/README.md lists them beside the other tests of the same class.

After every test the node still serves, and what was refused has left no memory behind."""

import json
import os
import pathlib
import random
import socket
import struct
import time

import pytest
from pamqp import commands

from conftest import DEADLINE_S, SANITIZED, until
from wire import (BODY, HEADER, HEARTBEAT, METHOD, Closed, Wire, frame, header_payload, method, nested, publish, short,
                  start_ok)

Channel, Connection, Queue, Exchange, Basic = (commands.Channel, commands.Connection, commands.Queue, commands.Exchange,
                                               commands.Basic)
INITIAL_FRAME_MAX = 8192
FRAME_MAX = 131072
SIGNED_MAX, UNSIGNED_MAX = 2**31 - 1, 2**32 - 1


def rss_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def serves(node):
    """A client that does everything right is served: declare, publish, get."""
    with Wire(node.amqp) as good:
        good.go("channel")
        good.call(Queue.Declare(queue="", exclusive=True), Queue.DeclareOk)
        name = good.call(Queue.Declare(queue="serves", auto_delete=True), Queue.DeclareOk).queue
        good.send(publish(1, "", name, b"hello"))
        assert good.call(Basic.Get(queue=name, no_ack=True), Basic.GetOk).routing_key == name
        kinds = [good.frame()[0] for _ in range(2)]
        assert kinds == [HEADER, BODY]
        good.call(Queue.Delete(queue=name), Queue.DeleteOk)
        good.call(Connection.Close(200, "bye", 0, 0), Connection.CloseOk, channel=0)


@pytest.fixture(autouse=True)
def the_node_serves_on(node):
    serves(node)
    yield
    serves(node)


def grown(node, attack, rounds=3):
    """How much the node's memory grows by an attack once it has seen the same before: buffers are warm then."""
    attack()
    before = rss_bytes(node.pid)
    for _ in range(rounds):
        attack()
    return rss_bytes(node.pid) - before


def little(growth, bound=1 << 20):
    return SANITIZED or growth < bound


# -- lengths ------------------------------------------------------------------------------------------------------------

def edges(limit):
    return [0, 1, limit - 1, limit, limit + 1, SIGNED_MAX, SIGNED_MAX + 1, UNSIGNED_MAX]


@pytest.mark.parametrize("stage, limit", [("start", INITIAL_FRAME_MAX), ("tune", INITIAL_FRAME_MAX), ("channel", FRAME_MAX)])
def test_the_length_of_a_frame_is_checked_before_any_memory_is_taken(node, stage, limit):
    def attack():
        for kind in (METHOD, HEADER, BODY, HEARTBEAT):
            for size in edges(limit):
                with Wire(node.amqp) as client:
                    client.go(stage)
                    client.send(struct.pack(">BHI", kind, 1 if stage == "channel" else 0, size))
                    if size > limit:  # refused by its head alone
                        assert client.close_code() == 501, (kind, size)
                        assert "frame_too_large" in client.text

    assert little(grown(node, attack, rounds=1))


def lying_fields():
    """Tables whose inner lengths are not what follows."""
    for letter in b"SAFx":
        for size in (1, SIGNED_MAX, SIGNED_MAX + 1, UNSIGNED_MAX):
            yield b"\x01n" + bytes([letter]) + struct.pack(">I", size)
    yield b"\xffn"  # a name
    yield b"\x01nD\x01"  # a decimal cut off
    yield b"\x01n"  # no value


def test_the_lengths_inside_a_method_are_checked(node):
    declare = struct.pack(">HHH", 50, 10, 0) + short(b"lying") + b"\0"

    def attack():
        for table in lying_fields():
            with Wire(node.amqp) as client:
                client.go("channel")
                client.send(frame(METHOD, 1, declare + struct.pack(">I", len(table)) + table))
                assert client.close_code() in (501, 502), table
        for size in (1, 5, SIGNED_MAX, SIGNED_MAX + 1, UNSIGNED_MAX):  # of the table itself
            with Wire(node.amqp) as client:
                client.go("channel")
                client.send(frame(METHOD, 1, declare + struct.pack(">I", size)))
                assert client.close_code() == 501, size
        for name in (1, 255):  # a short string that is not there
            with Wire(node.amqp) as client:
                client.go("channel")
                client.send(frame(METHOD, 1, struct.pack(">HHHB", 50, 10, 0, name)))
                assert client.close_code() == 501, name

    assert little(grown(node, attack))


def test_the_lengths_of_a_login_are_checked(node):
    begin = struct.pack(">HH", 10, 11)

    def attack():
        for size in (1, SIGNED_MAX, SIGNED_MAX + 1, UNSIGNED_MAX):
            for payload in (begin + struct.pack(">I", size),  # client-properties
                            begin + struct.pack(">I", 0) + short(b"PLAIN") + struct.pack(">I", size)):  # response
                with Wire(node.amqp) as client:
                    client.go("start")
                    client.send(frame(METHOD, 0, payload))
                    assert client.close_code() in (0, 501), (size, payload)
        for table in lying_fields():
            with Wire(node.amqp) as client:
                client.go("start")
                client.send(frame(METHOD, 0, begin + struct.pack(">I", len(table)) + table + short(b"PLAIN") +
                                  struct.pack(">I", 12) + b"\0guest\0guest" + short(b"en_US")))
                assert client.close_code() in (0, 501, 502), table

    assert little(grown(node, attack))


def test_the_lengths_of_properties_are_checked(node):
    def attack():
        for properties in (
                b"", b"\x80", b"\x80\0", b"\x80\0\x05abc",  # content-type cut off
                b"\0\1", b"\0\2",  # more flags than class basic has
                b"\0\0more",  # left over
                *(b"\x20\0" + struct.pack(">I", size) for size in (1, SIGNED_MAX, SIGNED_MAX + 1, UNSIGNED_MAX)),
                *(b"\x20\0" + struct.pack(">I", len(table)) + table for table in lying_fields())):
            with Wire(node.amqp) as client:
                client.go("channel")
                client.send(publish(1, "", "nowhere", b"x", properties))
                assert client.close_code() in (501, 502), properties

    assert little(grown(node, attack))


# -- bodies -------------------------------------------------------------------------------------------------------------

def test_a_body_is_refused_at_its_header(node):
    for size in ((128 << 20) + 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1):
        with Wire(node.amqp) as client:
            client.go("channel")
            client.method(1, Basic.Publish(exchange="", routing_key="nowhere"))
            client.send(frame(HEADER, 1, header_payload(size)))
            assert client.close_code() == 406, size
            assert client.text.startswith(f"PRECONDITION_FAILED - message size {size} is larger")


def test_a_body_may_not_be_longer_than_its_header_said(node):
    for said, parts in ((4, [b"hello"]), (5, [b"hel", b"lo!"]), (0, [b"x"])):
        with Wire(node.amqp) as client:
            client.go("channel")
            client.method(1, Basic.Publish(exchange="", routing_key="nowhere"))
            client.send(frame(HEADER, 1, header_payload(said)))
            for part in parts:
                client.send(frame(BODY, 1, part))
            assert client.close_code() in (501, 505), (said, parts)


def test_a_flood_of_empty_body_frames_takes_no_memory(node):
    def attack():
        with Wire(node.amqp) as client:
            client.go("channel")
            client.method(1, Basic.Publish(exchange="", routing_key="nowhere"))
            client.send(frame(HEADER, 1, header_payload(10)))
            client.send(frame(BODY, 1, b"") * 50_000)
            client.method(1, Basic.Qos())  # a method in the middle of a content
            assert client.close_code() == 505

    assert little(grown(node, attack))


def test_bodies_that_are_announced_and_never_come_are_bounded(node):
    def attack():
        with Wire(node.amqp) as client:
            client.go("channel")
            for number in range(2, 7):
                client.call(Channel.Open(), Channel.OpenOk, channel=number)
                client.method(number, Basic.Publish(exchange="", routing_key="nowhere"))
                client.send(frame(HEADER, number, header_payload(16 << 20)))
            assert client.close_code() == 506

    assert little(grown(node, attack))


def test_half_a_body_is_forgotten_with_its_connection(node):
    def attack():
        clients = [Wire(node.amqp).go("channel") for _ in range(8)]
        for client in clients:
            client.method(1, Basic.Publish(exchange="", routing_key="nowhere"))
            client.send(frame(HEADER, 1, header_payload(1 << 20)) + frame(BODY, 1, b"x" * 100_000))
        for client in clients:
            client.socket.close()
        serves(node)

    assert little(grown(node, attack), 4 << 20)


# -- recursion ----------------------------------------------------------------------------------------------------------

DEEP_METHODS = {
    "exchange.declare": struct.pack(">HHH", 40, 10, 0) + short(b"deep") + short(b"direct") + b"\0",
    "exchange.bind": struct.pack(">HHH", 40, 30, 0) + short(b"amq.fanout") + short(b"amq.direct") + short(b"") + b"\0",
    "exchange.unbind": struct.pack(">HHH", 40, 40, 0) + short(b"amq.fanout") + short(b"amq.direct") + short(b"") + b"\0",
    "queue.declare": struct.pack(">HHH", 50, 10, 0) + short(b"deep") + b"\0",
    "queue.bind": struct.pack(">HHH", 50, 20, 0) + short(b"deep") + short(b"amq.direct") + short(b"") + b"\0",
    "queue.unbind": struct.pack(">HHH", 50, 50, 0) + short(b"deep") + short(b"amq.direct") + short(b""),
    "basic.consume": struct.pack(">HHH", 60, 20, 0) + short(b"deep") + short(b"") + b"\0",
}


@pytest.mark.parametrize("array", [False, True], ids=["tables", "arrays"])
@pytest.mark.parametrize("of", DEEP_METHODS)
def test_nesting_without_end_is_refused(node, of, array):
    for levels in (17, 1000, 18_000 if not array else 25_000):
        table = nested(levels, array)
        assert len(table) < FRAME_MAX - 100
        with Wire(node.amqp) as client:
            client.go("channel")
            client.call(Queue.Declare(queue="deep", auto_delete=True), Queue.DeclareOk)
            client.send(frame(METHOD, 1, DEEP_METHODS[of] + struct.pack(">I", len(table)) + table))
            assert client.close_code() == 502, levels


@pytest.mark.parametrize("array", [False, True], ids=["tables", "arrays"])
def test_nesting_without_end_before_login_and_in_headers(node, array):
    table = nested(1100 if not array else 1500, array)
    with Wire(node.amqp) as client:
        client.go("start")
        client.send(frame(METHOD, 0, struct.pack(">HHI", 10, 11, len(table)) + table + short(b"PLAIN") +
                          struct.pack(">I", 12) + b"\0guest\0guest" + short(b"en_US")))
        assert client.close_code() in (0, 502)
    for levels in (17, 18_000):
        table = nested(levels, array)
        with Wire(node.amqp) as client:
            client.go("channel")
            client.send(publish(1, "", "nowhere", b"x", b"\x20\0" + struct.pack(">I", len(table)) + table))
            assert client.close_code() == 502, levels
    with Wire(node.amqp) as client:  # an AMQPLAIN response is a table too
        client.go("start")
        table = nested(1100, array)
        client.send(frame(METHOD, 0, struct.pack(">HHI", 10, 11, 0) + short(b"AMQPLAIN") + struct.pack(">I", len(table)) +
                          table + short(b"en_US")))
        assert client.close_code() == 0  # without the capability to be told: cut


# -- order --------------------------------------------------------------------------------------------------------------

def all_methods():
    """Every method of the specification with default arguments, and some that don't exist."""
    made = {}
    for kind in commands.INDEX_MAPPING.values():
        what = object.__new__(kind)
        kind.validate = lambda self: None
        for name in kind.__slots__:
            setattr(what, name, {"shortstr": "", "longstr": "", "table": {}, "bit": False}.get(kind.amqp_type(name), 0))
        made[kind.name] = struct.pack(">I", kind.index) + what.marshal()
    made["0.0"] = struct.pack(">HH", 0, 0)
    made["60.999"] = struct.pack(">HH", 60, 999)
    made["65535.65535"] = struct.pack(">HH", 65535, 65535)
    return made


METHODS = all_methods()
# What a client may say on an open channel; each of these is tested for itself elsewhere.
OF_A_CHANNEL = {"Channel.Flow", "Channel.FlowOk", "Channel.Close", "Channel.CloseOk", "Exchange.Declare",
                "Exchange.Delete", "Exchange.Bind", "Exchange.Unbind", "Queue.Declare", "Queue.Bind", "Queue.Unbind",
                "Queue.Purge", "Queue.Delete", "Basic.Qos", "Basic.Consume", "Basic.Cancel", "Basic.CancelOk",
                "Basic.Publish", "Basic.Get", "Basic.Ack", "Basic.Reject", "Basic.RecoverAsync", "Basic.Recover",
                "Basic.Nack", "Confirm.Select", "Tx.Select", "Tx.Commit", "Tx.Rollback"}
ON_ANY = {"Connection.Close"}


@pytest.mark.parametrize("stage, channel, allowed", [
    ("start", 0, {"Connection.StartOk"}),
    ("tune", 0, {"Connection.TuneOk"}),
    ("open", 0, {"Connection.Open"}),
    ("running", 0, {"Connection.UpdateSecret"}),
    ("channel", 0, {"Connection.UpdateSecret"}),
    ("start", 1, set()),
    ("tune", 1, set()),
    ("open", 1, set()),
    ("running", 1, {"Channel.Open", "Channel.Close", "Channel.CloseOk"}),
    ("channel", 1, OF_A_CHANNEL),
    ("channel", 2, {"Channel.Open", "Channel.Close", "Channel.CloseOk"}),
])
def test_a_method_out_of_turn_ends_the_connection(node, stage, channel, allowed):
    for name, payload in METHODS.items():
        if name in allowed or (channel == 0 and name in ON_ANY):
            continue
        with Wire(node.amqp) as client:
            client.go(stage)
            client.send(frame(METHOD, channel, payload))
            code = client.close_code(5)
            assert code == 0 or code >= 500, (name, code)


def test_content_out_of_turn_ends_the_connection(node):
    start = method(1, Basic.Publish(exchange="", routing_key="nowhere"))
    header = frame(HEADER, 1, header_payload(5))
    for what in (header, frame(BODY, 1, b"hello"),  # without a method
                 start + start, start + frame(BODY, 1, b"hello"), start + frame(METHOD, 1, METHODS["Basic.Qos"]),
                 start + frame(HEADER, 1, header_payload(5, class_id=50)),  # of another class
                 start + header + header, start + header + start,
                 start + header + frame(BODY, 1, b"he") + frame(METHOD, 1, METHODS["Basic.Qos"]),
                 frame(HEADER, 0, header_payload(5)), frame(BODY, 0, b"hello"),
                 frame(HEADER, 9, header_payload(5)), frame(BODY, 9, b"hello")):  # a channel nobody opened
        with Wire(node.amqp) as client:
            client.go("channel")
            client.send(what)
            assert client.close_code(5) in (501, 504, 505), what
    for stage in ("start", "tune", "open"):
        for what in (header, frame(BODY, 1, b"hello"), frame(HEADER, 0, header_payload(5)), frame(BODY, 0, b"hello")):
            with Wire(node.amqp) as client:
                client.go(stage)
                client.send(what)
                code = client.close_code(5)
                assert code == 0 or code >= 500, (stage, what)


def test_after_a_close_nothing_is_done_any_more(node):
    """On a closed channel, and on a connection that is being closed from either side: the rest is thrown away."""
    everything = b"".join(frame(METHOD, 1, payload) for name, payload in METHODS.items() if not name.startswith("Channel."))
    declare = method(1, Queue.Declare(queue="after-close"))
    with Wire(node.amqp) as client:
        client.go("channel")
        client.send(method(1, Queue.Declare(queue="no-such", passive=True)))
        assert client.close_code() == 404
        client.send(everything + declare + publish(1, "", "after-close", b"x"))  # channel.close-ok is owed
        client.send(method(1, Channel.CloseOk()))
        client.call(Channel.Open(), Channel.OpenOk)
        client.call(Queue.Declare(queue="", exclusive=True), Queue.DeclareOk)
        client.send(method(0, Connection.Close(200, "bye", 0, 0)) + declare)
        client.expect(Connection.CloseOk)
    with Wire(node.amqp) as client:
        client.go("channel")
        client.send(method(1, Queue.Declare(queue="after-close", passive=True)))
        assert client.close_code() == 404
    with Wire(node.amqp) as client:
        client.go("channel")
        client.send(frame(METHOD, 1, METHODS["Basic.Deliver"]) + declare)
        assert client.close_code() >= 500
        client.send(everything + declare)
        client.method(0, Connection.CloseOk())
        assert client.closed(5)
    with Wire(node.amqp) as client:
        client.go("channel")
        client.method(1, Queue.Declare(queue="after-close", passive=True))
        assert client.close_code() == 404


def test_a_client_that_never_answers_a_close_is_cut(node):
    with Wire(node.amqp) as client:
        client.go("channel")
        client.send(frame(METHOD, 1, METHODS["Basic.Deliver"]))
        assert client.close_code() >= 500
        assert client.closed(8)


# -- login --------------------------------------------------------------------------------------------------------------

def test_only_offered_mechanisms_log_in(node):
    for mechanism in ("ANONYMOUS", "EXTERNAL", "CRAM-MD5", "RABBIT-CR-DEMO", "plain", "Plain", "PLAIN ", ""):
        with Wire(node.amqp) as client:
            client.go("start")
            client.method(0, start_ok(mechanism=mechanism))
            assert client.close_code(5) in (0, 403), mechanism


def test_a_broken_plain_response_logs_nobody_in(node):
    for response in ("", "\0", "\0\0", "guest", "\0guest", "guest\0guest", "\0guest\0", "\0\0guest", "\0guest\0guest\0",
                     "\0guest\0guest\0more", "root\0guest\0guest", "\0guest\0guest ", "\0GUEST\0guest", "\0gues\0guest",
                     "\0guest\0" + "x" * 8000, "\0" * 8000):
        with Wire(node.amqp) as client:
            client.go("start")
            client.method(0, start_ok(response))
            assert client.close_code(5) == 403, response[:40]
            assert "Login was refused" in client.text


def own_address():
    """An address of this machine that is not loopback; None if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            return probe.getsockname()[0]
        except OSError:
            return None


def test_the_default_user_is_for_loopback_peers_only(new_node):
    """Judged by the peer's address, not by the listener's: a connection from elsewhere to 0.0.0.0 is refused."""
    outside = own_address()
    if not outside or outside.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    node = new_node("amqp.host=0.0.0.0").start()
    with Wire(node.amqp, outside, source=outside) as client:
        client.go("start")
        client.method(0, start_ok())
        assert client.close_code() == 403
    with Wire(node.amqp, "127.0.0.1", source="127.0.0.2") as client:  # all of 127/8 is this machine
        client.go("channel")


# -- numbers ------------------------------------------------------------------------------------------------------------

def test_a_tune_ok_outside_the_offer_is_cut(node):
    for channel_max, frame_max in ((2047, 1), (2047, 4095), (2047, FRAME_MAX + 1), (2047, SIGNED_MAX), (2047, UNSIGNED_MAX),
                                   (2048, FRAME_MAX), (65535, FRAME_MAX)):
        with Wire(node.amqp) as client:
            client.go("open", frame_max, channel_max)
            client.method(0, Connection.Open("/"))
            code = client.close_code(5)
            assert code == 0 or code >= 500, (channel_max, frame_max)
    for channel_max, frame_max, heartbeat in ((1, 4096, 65535), (2047, FRAME_MAX, 1)):
        with Wire(node.amqp) as client:
            client.go("channel", frame_max, channel_max, heartbeat)


def test_a_frame_of_the_agreed_length_is_taken_and_none_longer(node):
    with Wire(node.amqp) as client:
        client.go("channel", frame_max=4096)
        client.call(Queue.Declare(queue="", exclusive=True), Queue.DeclareOk)
        client.method(1, Basic.Publish(exchange="", routing_key="nowhere"))
        client.send(frame(HEADER, 1, header_payload(8192)) + frame(BODY, 1, b"x" * 4088))
        client.send(struct.pack(">BHI", BODY, 1, 4097))
        assert client.close_code() == 501


def test_delivery_tags_that_were_never_given(node):
    for tag in (0, 1, 2**31, 2**63 - 1, 2**63, 2**64 - 1):
        for number, last in ((80, b"\0"), (90, b"\0"), (120, b"\2")):  # ack, reject, nack
            with Wire(node.amqp) as client:
                client.go("channel")
                client.send(frame(METHOD, 1, struct.pack(">HHQ", 60, number, tag) + last))
                assert client.close_code() == 406, (number, tag)
        with Wire(node.amqp) as client:  # an ack of all up to there
            client.go("channel")
            client.send(frame(METHOD, 1, struct.pack(">HHQ", 60, 80, tag) + b"\1"))
            if tag == 0:
                client.call(Queue.Declare(queue="", exclusive=True), Queue.DeclareOk)
            else:
                assert client.close_code() == 406, tag


def raw_declare(name, table):
    return frame(METHOD, 1, struct.pack(">HHH", 50, 10, 0) + short(name) + b"\x08" + struct.pack(">I", len(table)) + table)


def test_numbers_of_queue_arguments_at_every_edge(node):
    values = [b"b\x80", b"b\x00", b"b\x7f", b"B\xff", b"s\x80\0", b"I\x7f\xff\xff\xff", b"I\x80\0\0\0", b"i\xff\xff\xff\xff",
              b"l\x7f" + b"\xff" * 7, b"l\x80" + b"\0" * 7, b"l" + b"\xff" * 8, b"L" + b"\xff" * 8, b"d\x7f\xf0" + b"\0" * 6,
              b"d\x7f\xf8" + b"\0" * 6, b"f\0\0\0\0", b"t\1", b"V", b"S\0\0\0\x01" + b"1", b"T" + b"\xff" * 8, b"D\x02\0\0\0\1"]
    for argument in (b"x-message-ttl", b"x-expires", b"x-max-length", b"x-max-length-bytes", b"x-max-priority",
                     b"x-delivery-limit", b"x-single-active-consumer", b"x-overflow", b"x-dead-letter-exchange",
                     b"x-dead-letter-routing-key", b"x-queue-type", b"x-queue-mode", b"x-queue-version"):
        with Wire(node.amqp) as client:
            client.go("channel")
            for value in values:
                client.send(raw_declare(b"edge", short(argument) + value))
                _, answer = client.next_method()
                if isinstance(answer, Queue.DeclareOk):
                    client.send(publish(1, "", "edge", b"one", b"\x18\0\2\xff"))  # persistent, priority 255
                    client.send(publish(1, "", "edge", b"two"))
                    client.method(1, Queue.Delete(queue="edge"))
                    while True:
                        _, answer = client.next_method()
                        if isinstance(answer, Queue.DeleteOk):
                            break
                else:
                    assert isinstance(answer, Channel.Close) and answer.reply_code == 406, (argument, value, answer.name)
                    client.method(1, Channel.CloseOk())
                    client.call(Channel.Open(), Channel.OpenOk)


def test_expirations_at_every_edge(node):
    with Wire(node.amqp) as client:
        client.go("channel")
        for text in (b"0", b"1", b"4294967295", b"4294967296", b"9223372036854775807", b"9223372036854775808", b"-1", b"1e3",
                     b"", b" 1", b"1 ", b"0x10", b"9" * 255, b"\xff"):
            client.call(Queue.Declare(queue="", exclusive=True), Queue.DeclareOk)
            client.send(publish(1, "", "nowhere", b"x", b"\1\0" + short(text)))
            client.method(1, Basic.Qos())
            _, answer = client.next_method()
            if isinstance(answer, Channel.Close):
                assert answer.reply_code == 406, text
                client.method(1, Channel.CloseOk())
                client.call(Channel.Open(), Channel.OpenOk)
            else:
                assert isinstance(answer, Basic.QosOk), (text, answer.name)


# -- routing ------------------------------------------------------------------------------------------------------------

def test_a_pattern_of_many_hashes_costs_no_more_than_another(node):
    """A matcher that tries all ways would need 2^60 steps for the first of these."""
    key = ".".join("a" * 128)
    with Wire(node.amqp) as client:
        client.go("channel")
        client.call(Queue.Declare(queue="bombs", exclusive=True), Queue.DeclareOk)
        for pattern in ("#" + ".a.#" * 62 + ".b", ".".join("#" * 127), "#" + ".*.#" * 60 + ".b", ".".join("*#" * 60) + ".b",
                        "#" + ".a" * 120, "a.#." * 60 + "b"):
            client.call(Queue.Bind(queue="bombs", exchange="amq.topic", routing_key=pattern[:255]), Queue.BindOk)
        count = 500
        began = cpu_s(node.pid)
        for _ in range(count):
            client.send(publish(1, "amq.topic", key[:255], b""))
        client.call(Basic.Qos(), Basic.QosOk)
        assert client.call(Queue.Purge(queue="bombs"), Queue.PurgeOk).message_count == count
        spent = cpu_s(node.pid) - began
    assert SANITIZED or spent / count < 0.002, f"{spent / count * 1e6:.0f} us of CPU for each"


def test_headers_without_end_against_many_bindings(node):
    """A frame full of one-byte headers against bindings that ask for many: sorted once, never a product."""
    with Wire(node.amqp) as client:
        client.go("channel")
        client.call(Queue.Declare(queue="headers", exclusive=True), Queue.DeclareOk)
        for first in range(20):
            arguments = {f"{first}-{i}": i for i in range(200)} | {"x-match": "any"}
            client.call(Queue.Bind(queue="headers", exchange="amq.headers", routing_key="", arguments=arguments), Queue.BindOk)
        table = b"".join(b"\x03" + struct.pack(">BH", i % 251, i) + b"V" for i in range(25_000))
        properties = b"\x20\0" + struct.pack(">I", len(table)) + table
        began = cpu_s(node.pid)
        for _ in range(20):
            client.send(publish(1, "amq.headers", "", b"", properties))
        client.call(Basic.Qos(), Basic.QosOk)
        spent = cpu_s(node.pid) - began
    assert SANITIZED or spent / 20 < 0.1, f"{spent / 20 * 1e3:.1f} ms of CPU for each"


def test_exchanges_bound_in_circles_route_once(node):
    with Wire(node.amqp) as client:
        client.go("channel")
        client.call(Queue.Declare(queue="circle", exclusive=True), Queue.DeclareOk)
        names = [f"circle-{i}" for i in range(40)]
        for name in names:
            client.call(Exchange.Declare(exchange=name, exchange_type="fanout", auto_delete=True), Exchange.DeclareOk)
        for source in names:
            for destination in names:  # each to each, also to itself: 1600 ways, endless walks
                client.call(Exchange.Bind(destination=destination, source=source), Exchange.BindOk)
            client.call(Queue.Bind(queue="circle", exchange=source), Queue.BindOk)
        for _ in range(20):
            client.send(publish(1, names[0], "", b"x"))
        client.call(Basic.Qos(), Basic.QosOk)
        assert client.call(Queue.Purge(queue="circle"), Queue.PurgeOk).message_count == 20
        for name in names:
            client.call(Exchange.Delete(exchange=name), Exchange.DeleteOk)


# -- direct reply-to ----------------------------------------------------------------------------------------------------

REPLY_TO = "amq.rabbitmq.reply-to"


def reply_name(client, tap_queue):
    """The name behind which `client` hears answers, as a third party would see it in a request."""
    client.method(1, Basic.Consume(queue=REPLY_TO, no_ack=True))
    client.expect(Basic.ConsumeOk)
    client.send(publish(1, "", tap_queue, b"question", b"\x02\0" + short(REPLY_TO.encode())))
    with_name = Wire(client.socket.getpeername()[1]).go("channel")
    while True:
        with_name.method(1, Basic.Get(queue=tap_queue, no_ack=True))
        _, answer = with_name.next_method()
        if isinstance(answer, Basic.GetOk):
            break
    _, _, header = with_name.frame()
    with_name.frame()
    with_name.socket.close()
    size = header[14]
    return header[15:15 + size].decode()


def test_forged_and_replayed_reply_names_reach_nobody(node):
    with Wire(node.amqp) as setup, Wire(node.amqp) as forger:
        setup.go("channel")
        setup.call(Queue.Declare(queue="tap", exclusive=False, auto_delete=False), Queue.DeclareOk)
        victim = Wire(node.amqp).go("channel")
        name = reply_name(victim, "tap")
        assert name.startswith(REPLY_TO + ".") and len(name) > len(REPLY_TO) + 20
        second = Wire(node.amqp).go("channel")
        other = reply_name(second, "tap")
        assert len(set(name) ^ set(other)) > 0 and name[-12:] != other[-12:], "names are not counted up"

        forger.go("channel")
        dice = random.Random(1)
        forged = [name[:-1], name + "A", name[:-1] + ("A" if name[-1] != "A" else "B"), name.lower(), REPLY_TO + ".",
                  REPLY_TO, REPLY_TO + "." + "A" * 22, REPLY_TO + "." + "A" * 200]
        forged += [REPLY_TO + "." + "".join(dice.choices("ABCDEFGHIJabcdefghij0123456789-_", k=22)) for _ in range(200)]
        for each in forged:
            if each != name:
                forger.send(publish(1, "", each, b"forged"))
        forger.call(Basic.Qos(), Basic.QosOk)
        forger.send(publish(1, "", name, b"the one who was told the name"))
        forger.call(Basic.Qos(), Basic.QosOk)
        victim.expect(Basic.Deliver)
        assert [victim.frame()[2] for _ in range(2)][1] == b"the one who was told the name", "a forged name came through"

        for each in forged[:4]:  # a name that is not living is no queue either
            if each == name:
                continue
            forger.method(1, Queue.Declare(queue=each, passive=True))
            assert forger.close_code() == 404, each
            forger.method(1, Channel.CloseOk())
            forger.call(Channel.Open(), Channel.OpenOk)
        # Nobody else may listen there, take from it, bind or delete it.
        for what in (Basic.Consume(queue=name, no_ack=True), Basic.Get(queue=name, no_ack=True), Queue.Purge(queue=name),
                     Queue.Bind(queue=name, exchange="amq.fanout", routing_key="x")):
            forger.method(1, what)
            assert forger.close_code() in (403, 404, 405), what.name
            forger.method(1, Channel.CloseOk())
            forger.call(Channel.Open(), Channel.OpenOk)
        victim.socket.close()

        def is_gone():
            forger.method(1, Queue.Declare(queue=name, passive=True))
            _, answer = forger.next_method()
            if isinstance(answer, Channel.Close):
                forger.method(1, Channel.CloseOk())
                forger.call(Channel.Open(), Channel.OpenOk)
                return True
            return False

        until("the name goes with its connection", is_gone)
        forger.send(publish(1, "", name, b"replayed"))
        forger.call(Basic.Qos(), Basic.QosOk)
        second.socket.close()
        setup.call(Queue.Delete(queue="tap"), Queue.DeleteOk)


# -- other people's things ----------------------------------------------------------------------------------------------

def test_an_exclusive_queue_is_closed_to_others_by_every_method(node):
    with Wire(node.amqp) as owner, Wire(node.amqp) as other:
        owner.go("channel")
        other.go("channel")
        owner.call(Queue.Declare(queue="mine", exclusive=True), Queue.DeclareOk)
        for what in (Queue.Declare(queue="mine"), Queue.Declare(queue="mine", passive=True),
                     Queue.Declare(queue="mine", exclusive=True), Queue.Bind(queue="mine", exchange="amq.fanout"),
                     Queue.Purge(queue="mine"), Queue.Delete(queue="mine"), Basic.Consume(queue="mine"),
                     Basic.Get(queue="mine")):
            other.method(1, what)
            assert other.close_code() == 405, what.name
            other.method(1, Channel.CloseOk())
            other.call(Channel.Open(), Channel.OpenOk)
        owner.call(Queue.Declare(queue="mine", passive=True), Queue.DeclareOk)


def test_what_belongs_to_the_broker_is_not_for_clients(node):
    with Wire(node.amqp) as client:
        client.go("channel")
        for what in (Exchange.Declare(exchange="amq.mine"), Exchange.Delete(exchange="amq.direct"),
                     Exchange.Delete(exchange=""), Queue.Declare(queue="amq.mine"),
                     Queue.Bind(queue="x", exchange=""), Exchange.Declare(exchange="", exchange_type="direct")):
            client.method(1, what)
            assert client.close_code() in (403, 404), what.name
            client.method(1, Channel.CloseOk())
            client.call(Channel.Open(), Channel.OpenOk)
        client.send(publish(1, "amq.rabbitmq.trace", "x", b"forged"))  # internal
        assert client.close_code() == 403


# -- exhaustion ---------------------------------------------------------------------------------------------------------

def test_who_does_not_log_in_is_cut_after_ten_seconds(node):
    began = time.monotonic()
    waiting = [Wire(node.amqp).go(stage) for stage in ("header", "start", "tune", "open") for _ in range(5)]
    waiting += [Wire(node.amqp) for _ in range(5)]
    for client in waiting[-5:]:
        client.send(b"AMQP\0\0\x09")  # one byte short
    dripping = Wire(node.amqp).go("start")
    dripping.send(frame(METHOD, 0, b"x" * 100)[:20])  # half a frame
    for client in [*waiting, dripping]:
        assert client.closed(max(0.1, began + 15 - time.monotonic()))
        took = time.monotonic() - began
        assert took > 9, took
    assert time.monotonic() - began < (11 if not SANITIZED else 20)


def test_a_connection_without_login_takes_little_memory(node):
    count = 500
    for _ in range(2):
        before = rss_bytes(node.pid)
        silent = [Wire(node.amqp) for _ in range(count)]
        half = [Wire(node.amqp).go("start") for _ in range(count)]
        serves(node)
        each = (rss_bytes(node.pid) - before) / (2 * count)
        for client in silent + half:
            client.socket.close()
        serves(node)
    assert SANITIZED or each < 16 << 10, f"{each / 1024:.1f} KiB each"


def test_connections_of_one_address_are_capped(new_node):
    node = new_node("amqp.connections_per_address_max=5").start()
    held = [Wire(node.amqp).go("running") for _ in range(5)]
    with Wire(node.amqp) as sixth:
        sixth.send(b"AMQP\0\0\x09\x01")
        assert sixth.closed(5)
    with Wire(node.amqp, source="127.0.0.9") as elsewhere:
        elsewhere.go("channel")
    held.pop().socket.close()

    def there_is_room_again():
        with Wire(node.amqp) as again:
            try:
                again.go("channel")
                return True
            except (Closed, OSError):
                return False

    until("a place is free", there_is_room_again)


def test_connections_are_capped(new_node):
    node = new_node("amqp.connections_max=3").start()
    held = [Wire(node.amqp).go("running") for _ in range(3)]
    with Wire(node.amqp) as fourth:
        fourth.send(b"AMQP\0\0\x09\x01")
        assert fourth.closed(5)
    assert len(held) == 3


def test_channels_and_consumers_are_capped(new_node):
    node = new_node("amqp.channel_max=4", "amqp.consumers_per_channel_max=3").start()
    with Wire(node.amqp) as client:
        client.go("channel", channel_max=4)
        client.call(Queue.Declare(queue="", exclusive=True), Queue.DeclareOk)
        for number in range(3):
            client.call(Basic.Consume(queue="", consumer_tag=f"c{number}"), Basic.ConsumeOk)
        client.call(Basic.Cancel(consumer_tag="c0"), Basic.CancelOk)
        client.call(Basic.Consume(queue="", consumer_tag="c3"), Basic.ConsumeOk)
        client.method(1, Basic.Consume(queue="", consumer_tag="c4"))
        assert client.close_code() == 530
        assert "consumers per channel" in client.text
    with Wire(node.amqp) as client:
        client.go("channel", channel_max=4)
        for number in (2, 3, 4):
            client.call(Channel.Open(), Channel.OpenOk, channel=number)
        client.method(5, Channel.Open())
        assert client.close_code() in (504, 530)


def test_channels_come_and_go_without_end(node):
    """Opened and closed, with a consumer and something out on each: nothing stays. SWITCHBOARD_CHURN sets how often."""
    total = int(os.environ.get("SWITCHBOARD_CHURN", "20000"))
    with Wire(node.amqp) as client:
        client.go("channel")
        client.call(Queue.Declare(queue="churn", exclusive=True), Queue.DeclareOk)
        round_trip = b"".join(method(2, what) for what in (
            Channel.Open(), Basic.Consume(queue="churn", consumer_tag="c"), Basic.Qos(prefetch_count=10), Channel.Close(
                200, "", 0, 0)))
        growth = []
        for part in range(4):
            for _ in range(total // 200):
                client.send(round_trip * 50)
                closed = 0
                while closed < 50:
                    closed += isinstance(client.next_method()[1], Channel.CloseOk)
            growth.append(rss_bytes(node.pid))
    assert little(growth[-1] - growth[0], 4 << 20), [at >> 10 for at in growth]


def test_a_silent_client_is_cut_and_a_heartbeat_must_be_on_channel_0(node):
    began = time.monotonic()
    with Wire(node.amqp) as client:
        client.go("running", heartbeat=1)
        kind, channel, payload = client.frame(2)
        assert (kind, channel, payload) == (HEARTBEAT, 0, b"")
        assert client.closed(5)
        assert 1.5 < time.monotonic() - began < (4 if not SANITIZED else 10)
    for bad, code in ((frame(HEARTBEAT, 1, b""), 505), (frame(HEARTBEAT, 0, b"x"), 501)):
        with Wire(node.amqp) as client:
            client.go("channel")
            client.send(bad)
            assert client.close_code() in (501, code)


def test_a_consumer_that_never_acknowledges_loses_its_channel(new_node):
    node = new_node("amqp.consumer_timeout=2s").start()
    with Wire(node.amqp) as never, Wire(node.amqp) as other:
        never.go("channel")
        never.call(Queue.Declare(queue="held"), Queue.DeclareOk)
        never.call(Basic.Consume(queue="held"), Basic.ConsumeOk)
        never.send(publish(1, "", "held", b"mine"))
        never.expect(Basic.Deliver)
        assert never.close_code(8) == 406
        assert never.text.startswith("PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value "
                                     "used: 2000 ms.")
        other.go("channel")
        assert other.call(Basic.Get(queue="held"), Basic.GetOk).redelivered
        [other.frame() for _ in range(2)]
        other.method(1, Basic.Ack(delivery_tag=1))
        other.method(1, Basic.Consume(queue="held"))
        other.expect(Basic.ConsumeOk)
        for number in range(2, 8):  # one that acknowledges in time is left alone
            other.send(publish(1, "", "held", b"x"))
            assert other.expect(Basic.Deliver).delivery_tag == number
            [other.frame() for _ in range(2)]
            time.sleep(0.5)  # the work
            other.method(1, Basic.Ack(delivery_tag=number))
        other.call(Queue.Delete(queue="held"), Queue.DeleteOk)


def test_queues_that_wait_for_their_time_do_not_keep_the_node_from_stopping(new_node):
    """Deleted queues whose x-expires or message time to live still ran once locked CAF's clock for good."""
    node = new_node("log.level=error").start()
    with Wire(node.amqp) as client:
        client.go("channel")
        for number in range(300):
            client.call(Queue.Declare(queue=f"t{number}", arguments={"x-expires": 3_600_000}), Queue.DeclareOk)
            client.send(publish(1, "", f"t{number}", b"x", b"\1\0" + short(b"3600000")))
        for number in range(0, 300, 2):
            client.call(Queue.Delete(queue=f"t{number}"), Queue.DeleteOk)
    assert node.stop() == 0


# -- what others are shown ----------------------------------------------------------------------------------------------

HOSTILE_NAMES = [b"<script>alert(1)</script>", b"line\r\nadmin_login user=root", b'"},{"name":"injected', b"\xff\xfe\x80",
                 b"\x00\x01\x1b[31m", b"{{7*7}}", b"../../etc/passwd", b"%s%n", "\u202e\U0001f4a9".encode(), b"a" * 255]


def test_names_stay_names_in_answers_logs_and_pages(node):
    with Wire(node.amqp) as client:
        client.go("channel")
        for name in HOSTILE_NAMES:
            client.send(raw_declare(name, b""))
            _, answer = client.next_method()
            assert isinstance(answer, (Queue.DeclareOk, Channel.Close)), name
            if isinstance(answer, Channel.Close):
                client.method(1, Channel.CloseOk())
                client.call(Channel.Open(), Channel.OpenOk)
            # An error that quotes it: it goes into the answer and into the log.
            client.send(frame(METHOD, 1, struct.pack(">HHH", 50, 30, 0) + short(b"no " + name[:200]) + b"\0"))
            assert client.close_code() == 404
            client.method(1, Channel.CloseOk())
            client.call(Channel.Open(), Channel.OpenOk)
        for name in HOSTILE_NAMES:  # a virtual host, and a user, of that name
            with Wire(node.amqp) as other:
                other.go("open")
                other.send(frame(METHOD, 0, struct.pack(">HH", 10, 40) + short(name) + short(b"") + b"\0"))
                assert other.close_code() in (0, 530)
            with Wire(node.amqp) as other:
                other.go("start")
                response = b"\0" + name.replace(b"\0", b"") + b"\0guest"
                other.send(frame(METHOD, 0, struct.pack(">HHI", 10, 11, 0) + short(b"PLAIN") +
                                 struct.pack(">I", len(response)) + response + short(b"en_US")))
                other.closed(5)
        for path in ("/metrics", "/healthz", "/api/actors", "/api/overview", "/api/queues", "/api/connections"):
            status, answer = node.request("GET", path, port=node.admin)
            assert status in (200, 401), (path, status, answer)
            if path.startswith("/api") and status == 200:
                assert not isinstance(answer, str), f"{path} is no JSON: {answer[:200]}"
        for name in HOSTILE_NAMES:
            client.send(frame(METHOD, 1, struct.pack(">HHH", 50, 40, 0) + short(name) + b"\0"))
            client.expect(Queue.DeleteOk)
    for line in node.lines.seen:
        assert not line.startswith("admin_login"), "a name began a log line of its own"
        assert "\x1b" not in line, "a name wrote a control sequence into the log"


def test_secrets_are_not_logged(new_node, tmp_path):
    secret = "hunter2-" + os.urandom(8).hex()
    (tmp_path / "password").write_text(secret + "\n")
    node = new_node("amqp.user=operator", f"amqp.password_file={tmp_path / 'password'}", "log.level=debug").start()
    wrong = "wrong-" + os.urandom(8).hex()
    for response, mechanism in ((f"\0operator\0{secret}", "PLAIN"), (f"\0operator\0{wrong}", "PLAIN"),
                                (f"\0{wrong}\0{secret}", "PLAIN"), (f"{secret}", "PLAIN"), (f"\0operator\0{secret}", secret)):
        with Wire(node.amqp) as client:
            client.go("start")
            client.method(0, start_ok(response, mechanism))
            try:
                client.next_method(5)
            except Closed:
                pass
    token = node.token()
    node.request("GET", "/v1/calls", headers={"Authorization": f"Bearer {token}"})
    node.request("GET", f"/ws?token={token}")
    node.request("GET", "/v1/calls", headers={"Authorization": f"Bearer {token}x"})
    status, metrics = node.request("GET", "/metrics", port=node.admin)
    assert status == 200
    said = "\n".join([*node.lines.seen, metrics if isinstance(metrics, str) else json.dumps(metrics)])
    assert "amqp_login_refused" in said
    for hidden in (secret, wrong, token):
        assert hidden not in said, f"a secret stands in the log: {[l for l in node.lines.seen if hidden in l]}"

"""A publisher that outruns its consumer is slowed by credit, and the node's memory stays flat.

For 60 s; 8 s under sanitizers, whose memory says nothing. SWITCHBOARD_FLOW_S sets another time."""

import os
import pathlib
import threading
import time

import pika

from conftest import SANITIZED

SECONDS = float(os.environ.get("SWITCHBOARD_FLOW_S", "8" if SANITIZED else "60"))
BODY = b"x" * 65536


def rss_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_memory_stays_flat_while_a_publisher_outruns_a_consumer(node):
    setup = node.pika().channel()
    setup.queue_declare("slow")
    stop = threading.Event()
    counts = {"published": 0, "consumed": 0}

    def publish():
        channel = node.pika().channel()
        while not stop.is_set():
            channel.basic_publish("", "slow", BODY)
            counts["published"] += 1

    def consume():
        channel = node.pika().channel()
        channel.basic_qos(prefetch_count=10)
        for method, _, _ in channel.consume("slow", inactivity_timeout=0.2):
            if stop.is_set():
                return
            if method:
                time.sleep(0.002)  # the work that makes it slow
                channel.basic_ack(method.delivery_tag)
                counts["consumed"] += 1

    threads = [threading.Thread(target=publish, daemon=True), threading.Thread(target=consume, daemon=True)]
    for thread in threads:
        thread.start()
    samples, end = [], time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(0.25)  # the sampling interval
        samples.append(rss_bytes(node.pid))
    stop.set()
    setup.queue_delete("slow")
    settled = samples[len(samples) // 3:]
    assert counts["consumed"] > 100, counts
    # 32 MiB of backlog, 4 MiB on the way, the consumer's link and the sockets' buffers: state the bound, then hold it.
    if SANITIZED:
        return
    assert max(settled) < 200 << 20, f"RSS reached {max(settled) >> 20} MiB; {counts}"
    assert max(settled) - min(settled) < 48 << 20, f"RSS grew by {(max(settled) - min(settled)) >> 20} MiB; {counts}"


def test_a_stuck_consumer_on_the_publishers_own_connection_is_no_deadlock(node):
    """The connection publishes past the backlog bound while its own consumer acks late: its acks must still be read."""
    channel = node.pika().channel()
    channel.queue_declare("own", exclusive=True)
    channel.basic_qos(prefetch_count=1)
    taken = []
    channel.basic_consume("own", lambda ch, method, properties, body: (taken.append(method.delivery_tag),
                                                                       ch.basic_ack(method.delivery_tag)))
    total = 700  # 44 MiB, over the 32 MiB bound
    for _ in range(total):
        channel.basic_publish("", "own", BODY)
    end = time.monotonic() + 60
    while len(taken) < total and time.monotonic() < end:
        channel.connection.process_data_events(time_limit=1)
    assert len(taken) == total


def test_a_consumer_that_stops_reading_does_not_hurt_others(node):
    stuck = node.pika()
    stuck_channel = stuck.channel()
    stuck_channel.queue_declare("stuck", exclusive=False, auto_delete=True)
    stuck_channel.basic_consume("stuck", lambda *_: None, auto_ack=True)
    # From here on `stuck` reads nothing more, and a publisher has 400 MiB for it.
    before, sent, total = rss_bytes(node.pid), [0], 6400

    def flood():
        channel = node.pika().channel()
        try:
            for _ in range(total):
                channel.basic_publish("", "stuck", BODY)
                sent[0] += 1
        except pika.exceptions.AMQPError:
            pass  # the test is over

    threading.Thread(target=flood, daemon=True).start()
    channel = node.pika().channel()
    channel.queue_declare("brisk", exclusive=True)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        channel.basic_publish("", "brisk", b"hello", pika.BasicProperties(delivery_mode=1))
        method, _, body = channel.basic_get("brisk", auto_ack=True)
        assert body == b"hello"
    assert sent[0] < total, "nothing held the publisher back"
    # 32 MiB of backlog, 4 MiB on the way and a trickle of ten reads a second.
    assert SANITIZED or rss_bytes(node.pid) - before < 120 << 20, f"{sent[0]} of {total} sent"

"""Publishers and a consumer that write down what was promised to them, for the scripts of this folder: pika, as an
application would use it. A body is its publisher's number, its own number and a checksum, so a checker needs nothing else."""

import struct
import threading
import time
import zlib

import pika

HEAD = struct.Struct(">HQI")  # publisher, number, CRC-32 of what follows


def body_of(publisher, number, size):
    filling = number.to_bytes(8, "big") * ((size - HEAD.size) // 8 + 1)
    filling = filling[:size - HEAD.size]
    return HEAD.pack(publisher, number, zlib.crc32(filling)) + filling


def read_body(body):
    """(publisher, number); fails on a body that nobody sent."""
    publisher, number, check = HEAD.unpack_from(body)
    assert zlib.crc32(body[HEAD.size:]) == check, f"damaged body of {publisher}/{number}"
    return publisher, number


class Publisher(threading.Thread):
    """Publishes with up to `window` unconfirmed until close(), and knows what was confirmed and when it was blocked."""

    def __init__(self, node, number, queue, size, persistent=True, window=32):
        super().__init__(daemon=True)
        self.number, self.queue, self.size, self.window = number, queue, size, window
        self.properties = pika.BasicProperties(delivery_mode=2 if persistent else 1)
        self.sent = 0
        self.confirmed = set()
        self.pending = set()
        self.blocked = threading.Event()
        self.reasons = []       # of each connection.blocked
        self.unblocked_at = []  # monotonic seconds
        self.error = None
        self.paused = False
        self._closing = False
        parameters = pika.ConnectionParameters("127.0.0.1", node.amqp, heartbeat=0, socket_timeout=20)
        self.connection = pika.SelectConnection(parameters, on_open_callback=self._opened,
                                                on_open_error_callback=self._closed, on_close_callback=self._closed)

    def run(self):
        self.connection.ioloop.start()

    def close(self):
        """May be called by any thread; returns when the connection is gone."""
        self._closing = True
        if self.is_alive():
            self.connection.ioloop.add_callback_threadsafe(
                lambda: self.connection.is_open and self.connection.close())
            self.join(20)

    def _opened(self, connection):
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        connection.channel(on_open_callback=self._channel_open)

    def _channel_open(self, channel):
        self.channel = channel
        channel.confirm_delivery(self._on_confirm)
        self._pump()

    def _pump(self):
        while (len(self.pending) < self.window and not self.blocked.is_set() and not self._closing and not self.paused
               and self.channel.is_open):
            self.sent += 1
            self.pending.add(self.sent)
            self.channel.basic_publish("", self.queue, body_of(self.number, self.sent, self.size), self.properties)

    def waits(self):
        """For the end of an alarm, or for confirms."""
        return self.blocked.is_set() or len(self.pending) >= self.window

    def pause(self, on):
        self.paused = on
        self.connection.ioloop.add_callback_threadsafe(self._pump)

    def _on_confirm(self, frame):
        tag, kind = frame.method.delivery_tag, type(frame.method).__name__
        done = {number for number in self.pending if number <= tag} if frame.method.multiple else {tag}
        self.pending -= done
        if kind == "Ack":
            self.confirmed |= done
        else:
            self.error = f"nack of {sorted(done)}"
        self._pump()

    def _on_blocked(self, _, frame):
        self.reasons.append(frame.method.reason)
        self.blocked.set()

    def _on_unblocked(self, _, __):
        self.unblocked_at.append(time.monotonic())
        self.blocked.clear()
        self._pump()

    def _closed(self, connection, why):
        self.error = self.error or (None if self._closing else repr(why))
        connection.ioloop.stop()


class Consumer(threading.Thread):
    """Takes what a queue has until close(): acknowledges it, or holds it until release()."""

    def __init__(self, node, queue, prefetch=200, holds=False, ignored=None):
        super().__init__(daemon=True)
        self.queue, self.prefetch, self.holds = queue, 0 if holds else prefetch, holds
        self.parameters = pika.ConnectionParameters("127.0.0.1", node.amqp, heartbeat=0, socket_timeout=20)
        self.ignored = ignored  # a body that nobody promised anything about
        self.taken = set()
        self.count = 0
        self.error = None
        self._closing = False

    def run(self):
        try:
            with pika.BlockingConnection(self.parameters) as connection:
                channel = connection.channel()
                channel.basic_qos(prefetch_count=self.prefetch)
                held = 0
                for method, _, body in channel.consume(self.queue, inactivity_timeout=0.05):
                    if method:
                        if body != self.ignored:
                            self.taken.add(read_body(body))
                        self.count += 1
                        held = method.delivery_tag
                    if held and not self.holds:
                        channel.basic_ack(held, multiple=True)
                        held = 0
                    if self._closing:
                        channel.cancel()
                        return
        except Exception as problem:  # the node may be made to die
            self.error = repr(problem)

    def release(self):
        """What it holds, and from now on everything at once."""
        self.holds = False

    def close(self):
        self._closing = True
        self.join(20)
        return self.taken


def drained(node, queue, quiet_s=1.0, ignored=None):
    """Everything the queue has, taken and acknowledged."""
    consumer = Consumer(node, queue, ignored=ignored)
    consumer.start()
    count, since = -1, time.monotonic()
    while time.monotonic() - since < quiet_s:
        if consumer.count != count:
            count, since = consumer.count, time.monotonic()
        time.sleep(0.02)
    taken = consumer.close()
    assert not consumer.error, consumer.error
    return taken

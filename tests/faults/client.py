"""Fast AMQP for the fault loops: frames from precomputed pieces, a parser without objects. The handshake is wire.py's.

Bodies say who they are: queue, sequence number, padding that follows from both, and a CRC-32 over all of it.
"""

import pathlib
import random
import select
import struct
import sys
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from pamqp import commands  # noqa: E402
from wire import BODY, HEADER, METHOD, Closed, Wire, frame, header_payload, method  # noqa: E402

FRAME_MAX = 131072
PERSISTENT = struct.pack(">HB", 0x1000, 2)  # properties: delivery mode 2
PADDING = random.Random(20260120).randbytes(1 << 18)
ACK, NACK, DELIVER, CANCEL, CLOSE = 60 << 16 | 80, 60 << 16 | 120, 60 << 16 | 60, 60 << 16 | 30, 20 << 16 | 40


def size_of(sequence):
    """Mostly small; now and then more than a page, than a frame."""
    if sequence % 4999 == 0:
        return 200_000
    return 9000 if sequence % 211 == 0 else 24 + sequence * 7919 % 200


def make_body(queue, sequence, size=None):
    size = size or size_of(sequence)
    start = sequence * 31 % 4096
    inside = struct.pack(">QB", sequence, queue) + PADDING[start:start + size - 13]
    return struct.pack(">I", zlib.crc32(inside)) + inside


def read_body(body):
    """(queue, sequence), or None if it is damaged."""
    if len(body) < 13 or zlib.crc32(body[4:]) != int.from_bytes(body[:4], "big"):
        return None
    return body[12], int.from_bytes(body[4:12], "big")


class Sender:
    """Frames of persistent publishes to one queue through the default exchange."""

    def __init__(self, channel, name):
        self.channel = channel
        self.start = method(channel, commands.Basic.Publish(exchange="", routing_key=name))
        self.heads = {}

    def frames(self, body):
        head = self.heads.get(len(body))
        if head is None:
            head = self.heads[len(body)] = self.start + frame(HEADER, self.channel, header_payload(len(body), PERSISTENT))
        if len(body) <= FRAME_MAX - 8:
            return head + struct.pack(">BHI", BODY, self.channel, len(body)) + body + b"\xce"
        parts = [body[at:at + FRAME_MAX - 8] for at in range(0, len(body), FRAME_MAX - 8)]
        return head + b"".join(frame(BODY, self.channel, part) for part in parts)


class Link:
    """A connection with a channel for each queue, numbered from 1. Raises Closed when the node is gone."""

    def __init__(self, port, channels):
        self.wire = Wire(port)
        try:
            self.wire.go("running", frame_max=FRAME_MAX)
            for number in range(1, channels + 1):
                self.call(commands.Channel.Open(), commands.Channel.OpenOk, number)
        except BaseException:
            self.wire.socket.close()
            raise
        self.rest = b""

    def call(self, what, answer, channel=1):
        return self.wire.call(what, answer, channel)

    def send(self, data):
        self.wire.socket.settimeout(30)
        try:
            self.wire.socket.sendall(data)
        except OSError as why:
            raise Closed() from why

    def readable(self, wait_s):
        return bool(self.wire.buffer) or bool(select.select([self.wire.socket], [], [], wait_s)[0])

    def frames(self, wait_s):
        """All frames that are there: (kind, channel, payload). Waits for the first byte at most so long."""
        data, self.wire.buffer = self.wire.buffer, b""  # what the handshake read too much
        if not data:
            if not select.select([self.wire.socket], [], [], wait_s)[0]:
                return []
            try:
                data = self.wire.socket.recv(1 << 18)
            except OSError as why:
                raise Closed() from why
            if not data:
                raise Closed()
        data = self.rest + data
        at, found = 0, []
        unpack = struct.Struct(">BHI").unpack_from
        while len(data) - at >= 7:
            kind, channel, size = unpack(data, at)
            end = at + 7 + size
            if len(data) <= end:
                break
            if data[end] != 0xCE:
                raise AssertionError("a frame without its end")
            found.append((kind, channel, data[at + 7:end]))
            at = end + 1
        self.rest = data[at:]
        return found

    def close(self):
        self.wire.socket.close()


def connect(port, channels, until=None, give_up=lambda: False):
    """Tries until it works; None if `give_up` says so."""
    while not give_up():
        try:
            return Link(port, channels)
        except (OSError, Closed, AssertionError, TimeoutError):
            time.sleep(0.005)
    return None


def method_of(payload):
    return int.from_bytes(payload[:4], "big")


def unexpected(payload):
    """What a close says, for the message of the assertion."""
    return payload[:4].hex() + " " + repr(payload[4:120])

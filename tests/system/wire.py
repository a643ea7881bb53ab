"""AMQP 0-9-1 by hand for tests that must say what no client library lets them say: a socket, frames, pamqp for what is
well-formed. Nothing here helps the client to be correct."""

import socket
import struct
import time

from pamqp import commands, decode, frame as frames

from conftest import DEADLINE_S

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
# A name or a text may hold any octets, and comes back as it was: pamqp takes UTF-8 only.
decode.METHODS["shortstr"] = lambda value: (value[0] + 1, value[1:value[0] + 1].decode("utf-8", "replace"))
CAPABILITIES = {"authentication_failure_close": True, "consumer_cancel_notify": True, "connection.blocked": True}


def frame(kind, channel, payload, size=None, end=0xCE):
    """`size`: what the frame says of itself, if that is a lie."""
    return struct.pack(">BHI", kind, channel, len(payload) if size is None else size) + payload + bytes([end])


def method(channel, what):
    return frames.marshal(what, channel)


def short(text):
    return bytes([len(text)]) + text


def header_payload(body_size, properties=b"\0\0", class_id=60):
    return struct.pack(">HHQ", class_id, 0, body_size) + properties


def publish(channel, exchange, key, body, properties=b"\0\0"):
    return (method(channel, commands.Basic.Publish(exchange=exchange, routing_key=key)) +
            frame(HEADER, channel, header_payload(len(body), properties)) + (frame(BODY, channel, body) if body else b""))


def nested(levels, array=False):
    """The bytes of a table (without length) with so many levels of tables or arrays in one another."""
    inside = b""
    for level in range(levels - 1):
        outermost = level == levels - 2
        named = outermost or not array
        inside = (b"\x01n" if named else b"") + (b"A" if array else b"F") + struct.pack(">I", len(inside)) + inside
    return inside


class Closed(Exception):
    """The server has closed the socket."""


class Wire:
    def __init__(self, port, host="127.0.0.1", source=None):
        self.socket = socket.create_connection((host, port), DEADLINE_S, source_address=(source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # -- saying things ----------------------------------------------------------------------------------------------

    def send(self, data):
        """False if the server has closed meanwhile."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def method(self, channel, what):
        return self.send(method(channel, what))

    # -- hearing things ---------------------------------------------------------------------------------------------

    def _fill(self, deadline_s):
        self.socket.settimeout(max(0.001, deadline_s))
        try:
            chunk = self.socket.recv(65536)
        except ConnectionError:
            chunk = b""
        if not chunk:
            raise Closed()
        self.buffer += chunk

    def raw(self, size, deadline_s=DEADLINE_S):
        while len(self.buffer) < size:
            self._fill(deadline_s)
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def frame(self, deadline_s=DEADLINE_S):
        """(kind, channel, payload) of the next frame."""
        kind, channel, size = struct.unpack(">BHI", self.raw(7, deadline_s))
        payload = self.raw(size + 1, deadline_s)
        assert payload[-1] == 0xCE
        return kind, channel, payload[:-1]

    def next_method(self, deadline_s=DEADLINE_S):
        """(channel, pamqp's object) of the next method frame; content and heartbeats are skipped."""
        while True:
            kind, channel, payload = self.frame(deadline_s)
            if kind == METHOD:
                _, number, what = frames.unmarshal(frame(kind, channel, payload))
                return number, what

    def expect(self, kind, deadline_s=DEADLINE_S):
        _, what = self.next_method(deadline_s)
        assert isinstance(what, kind), f"{what.name} {getattr(what, 'reply_text', '')} instead of {kind.name}"
        return what

    def close_code(self, deadline_s=DEADLINE_S):
        """The code of the close that comes next, whatever comes before; 0 if the socket is closed without one."""
        end = time.monotonic() + deadline_s
        try:
            while True:
                _, what = self.next_method(end - time.monotonic())
                if isinstance(what, (commands.Connection.Close, commands.Channel.Close)):
                    self.text = what.reply_text
                    return what.reply_code
        except Closed:
            return 0

    def closed(self, deadline_s=DEADLINE_S):
        """Waits for the end of the connection; false if it doesn't come."""
        end = time.monotonic() + deadline_s
        try:
            while time.monotonic() < end:
                self._fill(end - time.monotonic())
                self.buffer = b""
        except Closed:
            return True
        except TimeoutError:
            pass
        return False

    # -- the way to an open channel -------------------------------------------------------------------------------------

    STAGES = ("header", "start", "tune", "open", "running", "channel")

    def go(self, stage, frame_max=131072, channel_max=2047, heartbeat=0, response="\0guest\0guest"):
        """As far as `stage` says and no further: "start" is what the server waits for after its connection.start, …"""
        steps = Wire.STAGES.index(stage)
        if steps >= 1:
            self.send(PROTOCOL_HEADER)
            self.expect(commands.Connection.Start)
        if steps >= 2:
            self.method(0, start_ok(response))
            self.expect(commands.Connection.Tune)
        if steps >= 3:
            self.method(0, commands.Connection.TuneOk(channel_max, frame_max, heartbeat))
        if steps >= 4:
            self.method(0, commands.Connection.Open("/"))
            self.expect(commands.Connection.OpenOk)
        if steps >= 5:
            self.method(1, commands.Channel.Open())
            self.expect(commands.Channel.OpenOk)
        return self

    def call(self, what, answer, channel=1):
        self.method(channel, what)
        return self.expect(answer)


def start_ok(response="\0guest\0guest", mechanism="PLAIN", capabilities=True):
    properties = {"product": "wire", "capabilities": CAPABILITIES} if capabilities else {"product": "wire"}
    return commands.Connection.StartOk(properties, mechanism, response, "en_US")

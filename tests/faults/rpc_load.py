"""A client of many RPCs for the fault programs: one connection, a durable reply queue, a steady rate. It reconnects, and
what was not answered it sends again under the same message_id, as a careful client would. Frames by hand: the client
shares two cores with the node."""

import datetime
import json
import pathlib
import re
import select
import socket
import struct
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from pamqp import commands, header  # noqa: E402
from pamqp import frame as frames  # noqa: E402
from wire import BODY, HEADER, METHOD, Closed, Wire, frame, method  # noqa: E402

CLOSE, CLOSE_CHANNEL = (10, 50), (20, 40)
MESSAGE_ID = re.compile(rb'"message_id":"([^"]*)"')
STATUS = re.compile(rb'"status_code":(\d+)')
RESEND_AFTER_S = 10.0  # no answer on a connection that stands


ANY_ID = b"00000000-0000-4000-8000-000000000000"  # stands in a body where its message_id goes
ANY_DEADLINE = b"2000-01-01T00:00:00.000Z"         # ... and its deadline


class Pending:
    __slots__ = ("frames", "due", "sent", "times")

    def __init__(self, data, due):
        self.frames, self.due, self.sent, self.times = data, due, 0.0, 0


class RpcLoad:
    """`bodies`: envelopes, sent in turn. `on_answer(message_id, status, body, seconds)`: `seconds` since the request was
    due, so what waited for a node that was away counts in full; None if nobody waited for it any more. `deadline_s`: what
    ANY_DEADLINE becomes, and after so long nobody waits."""

    def __init__(self, port, service, bodies, on_answer, durable=True, deadline_s=None):
        self.port, self.on_answer, self.durable, self.deadline_s = port, on_answer, durable, deadline_s
        self.replies = f"replies.{uuid.uuid4()}"
        self.templates = [self._template(f"bin-manager.{service}.request", body) for body in bodies]
        self.ids = str(uuid.uuid4())[:24]  # the rest is a number
        self.asked = self.given_up = 0
        self.wire = None
        self.pending = {}    # message_id -> Pending, oldest first
        self.unsent = []     # message ids
        self.resent = self.connects = 0
        self.closes = {}     # code of connection.close -> count
        self.body_parts = None
        self.next_try = 0.0

    # -- the connection -----------------------------------------------------------------------------------------------

    def connect(self):
        now = time.monotonic()
        if now < self.next_try:
            return False
        self.next_try = now + 0.02
        try:
            wire = Wire(self.port).go("channel")
            wire.call(commands.Queue.Declare(queue=self.replies, durable=self.durable, exclusive=not self.durable),
                      commands.Queue.DeclareOk)
            wire.call(commands.Basic.Consume(queue=self.replies, no_ack=True), commands.Basic.ConsumeOk)
        except (OSError, Closed, AssertionError, struct.error):
            return False
        self.wire, self.body_parts = wire, None
        self.connects += 1
        again = [one for one in self.pending if self.pending[one].times > 0]
        self.resent += len(again)
        self.unsent = again + [one for one in self.unsent if self.pending[one].times == 0]
        return True

    def lost(self):
        self.wire.socket.close()
        self.wire = None

    # -- a request ----------------------------------------------------------------------------------------------------

    def _template(self, request_queue, body):
        properties = commands.Basic.Properties(content_type="application/json", correlation_id=ANY_ID.decode(),
                                               reply_to=self.replies, delivery_mode=2 if self.durable else 1)
        return (method(1, commands.Basic.Publish(exchange="", routing_key=request_queue)) +
                frames.marshal(header.ContentHeader(0, len(body), properties), 1) + frame(BODY, 1, body))

    def add(self, due):
        message_id = f"{self.ids}{self.asked:012x}"
        data = self.templates[self.asked % len(self.templates)].replace(ANY_ID, message_id.encode())
        if self.deadline_s:
            data = data.replace(ANY_DEADLINE, iso8601(time.time() + due - time.monotonic() + self.deadline_s))
        self.asked += 1
        self.pending[message_id] = Pending(data, due)
        self.unsent.append(message_id)

    def _send(self):
        if not self.unsent:
            return
        now = time.monotonic()
        data = bytearray()
        for one in self.unsent:
            what = self.pending.get(one)
            if what:
                what.sent, what.times = now, what.times + 1
                data += what.frames
        self.unsent = []
        self.wire.socket.settimeout(20)
        if data and not self.wire.send(bytes(data)):
            self.lost()

    def _look_for_late(self):
        """What got no answer although the connection stands."""
        if self.deadline_s:
            oldest = time.monotonic() - self.deadline_s
            for one in [one for one, what in self.pending.items() if what.due < oldest]:
                del self.pending[one]
                self.given_up += 1
            return
        oldest = time.monotonic() - RESEND_AFTER_S
        for one, what in self.pending.items():
            if what.times and what.sent < oldest:
                self.unsent.append(one)
                self.resent += 1

    # -- answers ------------------------------------------------------------------------------------------------------

    def _read(self):
        self.wire.socket.settimeout(0)
        try:
            while True:
                chunk = self.wire.socket.recv(1 << 18)
                if not chunk:
                    self._parse()
                    return self.lost()
                self.wire.buffer += chunk
                if len(chunk) < 1 << 18:
                    break
        except (BlockingIOError, socket.timeout):
            pass
        except OSError:
            self._parse()
            return self.lost()
        self._parse()

    def _parse(self):
        data, at = self.wire.buffer, 0
        while len(data) - at >= 7:
            kind, _, size = struct.unpack_from(">BHI", data, at)
            if len(data) - at < 8 + size:
                break
            payload = data[at + 7:at + 7 + size]
            at += 8 + size
            if kind == HEADER:
                self.body_parts = [struct.unpack_from(">Q", payload, 4)[0]]
            elif kind == BODY:
                self.body_parts.append(payload)
                if sum(map(len, self.body_parts[1:])) == self.body_parts[0]:
                    self._answer(b"".join(self.body_parts[1:]))
            elif kind == METHOD and struct.unpack_from(">HH", payload) in (CLOSE, CLOSE_CHANNEL):
                code = struct.unpack_from(">H", payload, 4)[0]
                self.closes[code] = self.closes.get(code, 0) + 1
                self.wire.method(0, commands.Connection.CloseOk())
        self.wire.buffer = data[at:]

    def _answer(self, body):
        found = MESSAGE_ID.search(body)
        message_id = found.group(1).decode() if found else ""
        what = self.pending.pop(message_id, None)
        now = time.monotonic()
        self.on_answer(message_id, int(STATUS.search(body).group(1)), body, now - what.due if what else None)

    # -- the loop -----------------------------------------------------------------------------------------------------

    def run(self, seconds, rate, most_pending=None, stop=None, settle_s=60.0):
        """Open loop at `rate` per second; with `most_pending` closed loop instead. Then waits for what is left."""
        began = time.monotonic()
        sent, last_check = 0, began
        while True:
            now = time.monotonic()
            over = now - began >= seconds or (stop is not None and stop.is_set())
            if not over:
                if most_pending is not None:
                    for _ in range(most_pending - len(self.pending)):
                        self.add(now)
                else:
                    for number in range(sent, int((now - began) * rate) + 1):
                        self.add(began + number / rate)
                        sent += 1
            elif not self.pending or now - began - seconds > settle_s:
                break
            elif stop is not None and stop.is_set() and seconds > now - began:
                seconds = now - began  # settle_s counts from here
            if self.wire is None and not self.connect():
                time.sleep(0.005)
                continue
            self._send()
            if self.wire is None:
                continue
            if now - last_check > 0.25:
                last_check = now
                self._look_for_late()
            if select.select([self.wire.socket], [], [], 0.001)[0]:
                self._read()

    def close(self):
        if self.wire is None:
            return
        try:
            self.wire.socket.settimeout(5)
            self.wire.call(commands.Queue.Delete(queue=self.replies), commands.Queue.DeleteOk)
        except (OSError, Closed, AssertionError):
            pass
        self.lost()


def percentile(values, share):
    """Nearest rank; None of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def iso8601(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="milliseconds").encode()[:23] + b"Z"


def envelope(method_name, route, body, customer="00000000-0000-4000-8000-000000000001", deadline=False):
    headers = {"customer_id": customer, **({"deadline": ANY_DEADLINE.decode()} if deadline else {})}
    return json.dumps({"message_id": ANY_ID.decode(), "timestamp": "2026-01-20T12:00:00.000Z", "method": method_name,
                       "route": route, "headers": headers, "body": body}).encode()


def new_call(number="+15559870200", deadline=False):
    """To a far end that is busy (actors/loopback_trunk): the call ends by itself."""
    return envelope("POST", "/v1/calls", {"source": {"type": "tel", "target": "+15551234567"},
                                          "destinations": [{"type": "tel", "target": number}]}, deadline=deadline)

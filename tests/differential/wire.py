"""AMQP 0-9-1 as bytes and back, and one connection that records what its server says.

Own code and not a client library: the test needs field types as they are on the wire, several unanswered requests at
once, bad input, and speed. Text is Latin-1 throughout, so that every byte survives. A table is a list of
[name, [letter, value]]; what is read has the same form, so that two servers can be compared type by type.
"""

import socket
import struct
import time

METHODS = """
10 10 connection.start version_major:o version_minor:o server_properties:F mechanisms:S locales:S
10 11 connection.start-ok client_properties:F mechanism:$ response:S locale:$
10 30 connection.tune channel_max:h frame_max:l heartbeat:h
10 31 connection.tune-ok channel_max:h frame_max:l heartbeat:h
10 40 connection.open virtual_host:$ reserved_1:$ reserved_2:b
10 41 connection.open-ok reserved_1:$
10 50 connection.close reply_code:h reply_text:$ class_id:h method_id:h
10 51 connection.close-ok
10 60 connection.blocked reason:$
10 61 connection.unblocked
20 10 channel.open reserved_1:$
20 11 channel.open-ok reserved_1:S
20 20 channel.flow active:b
20 21 channel.flow-ok active:b
20 40 channel.close reply_code:h reply_text:$ class_id:h method_id:h
20 41 channel.close-ok
40 10 exchange.declare reserved_1:h exchange:$ type:$ passive:b durable:b auto_delete:b internal:b no_wait:b arguments:F
40 11 exchange.declare-ok
40 20 exchange.delete reserved_1:h exchange:$ if_unused:b no_wait:b
40 21 exchange.delete-ok
40 30 exchange.bind reserved_1:h destination:$ source:$ routing_key:$ no_wait:b arguments:F
40 31 exchange.bind-ok
40 40 exchange.unbind reserved_1:h destination:$ source:$ routing_key:$ no_wait:b arguments:F
40 51 exchange.unbind-ok
50 10 queue.declare reserved_1:h queue:$ passive:b durable:b exclusive:b auto_delete:b no_wait:b arguments:F
50 11 queue.declare-ok queue:$ message_count:l consumer_count:l
50 20 queue.bind reserved_1:h queue:$ exchange:$ routing_key:$ no_wait:b arguments:F
50 21 queue.bind-ok
50 30 queue.purge reserved_1:h queue:$ no_wait:b
50 31 queue.purge-ok message_count:l
50 40 queue.delete reserved_1:h queue:$ if_unused:b if_empty:b no_wait:b
50 41 queue.delete-ok message_count:l
50 50 queue.unbind reserved_1:h queue:$ exchange:$ routing_key:$ arguments:F
50 51 queue.unbind-ok
60 10 basic.qos prefetch_size:l prefetch_count:h global:b
60 11 basic.qos-ok
60 20 basic.consume reserved_1:h queue:$ consumer_tag:$ no_local:b no_ack:b exclusive:b no_wait:b arguments:F
60 21 basic.consume-ok consumer_tag:$
60 30 basic.cancel consumer_tag:$ no_wait:b
60 31 basic.cancel-ok consumer_tag:$
60 40 basic.publish reserved_1:h exchange:$ routing_key:$ mandatory:b immediate:b
60 50 basic.return reply_code:h reply_text:$ exchange:$ routing_key:$
60 60 basic.deliver consumer_tag:$ delivery_tag:L redelivered:b exchange:$ routing_key:$
60 70 basic.get reserved_1:h queue:$ no_ack:b
60 71 basic.get-ok delivery_tag:L redelivered:b exchange:$ routing_key:$ message_count:l
60 72 basic.get-empty reserved_1:$
60 80 basic.ack delivery_tag:L multiple:b
60 90 basic.reject delivery_tag:L requeue:b
60 100 basic.recover-async requeue:b
60 110 basic.recover requeue:b
60 111 basic.recover-ok
60 120 basic.nack delivery_tag:L multiple:b requeue:b
85 10 confirm.select no_wait:b
85 11 confirm.select-ok
90 10 tx.select
90 11 tx.select-ok
90 20 tx.commit
90 21 tx.commit-ok
90 30 tx.rollback
90 31 tx.rollback-ok
"""
BY_ID, BY_NAME = {}, {}
for line in METHODS.strip().splitlines():
    class_id, number, method, *fields = line.split()
    fields = [field.split(":") for field in fields]
    BY_ID[int(class_id), int(number)] = method, fields
    BY_NAME[method] = struct.pack(">HH", int(class_id), int(number)), fields

PROPERTIES = [("content_type", "$"), ("content_encoding", "$"), ("headers", "F"), ("delivery_mode", "o"),
              ("priority", "o"), ("correlation_id", "$"), ("reply_to", "$"), ("expiration", "$"), ("message_id", "$"),
              ("timestamp", "L"), ("type", "$"), ("user_id", "$"), ("app_id", "$"), ("cluster_id", "$")]
NUMBERS = {"o": ">B", "h": ">H", "l": ">I", "L": ">Q"}
VALUES = {"b": ">b", "B": ">B", "s": ">h", "u": ">H", "I": ">i", "i": ">I", "l": ">q", "L": ">Q", "f": ">f", "d": ">d",
          "T": ">Q", "t": ">?"}
CONTENT = {"basic.deliver", "basic.get-ok", "basic.return"}
METHOD, HEADER, BODY, HEARTBEAT, END = 1, 2, 3, 8, b"\xce"
DEADLINE_S = 30


class Gone(Exception):
    """The server has closed the socket."""


# -- bytes out ----------------------------------------------------------------------------------------------------------

def short_string(text):
    data = text.encode("latin-1")
    return bytes([len(data)]) + data


def long_string(text):
    data = text.encode("latin-1")
    return struct.pack(">I", len(data)) + data


def value_bytes(letter, value):
    if letter in VALUES:
        return letter.encode() + struct.pack(VALUES[letter], value)
    if letter in "Sx":
        return letter.encode() + long_string(value)
    if letter == "D":
        return b"D" + struct.pack(">Bi", *value)
    if letter == "F":
        return b"F" + table_bytes(value)
    if letter == "A":
        body = b"".join(value_bytes(*each) for each in value)
        return b"A" + struct.pack(">I", len(body)) + body
    return b"V"


def table_bytes(table):
    body = b"".join(short_string(name) + value_bytes(*value) for name, value in table)
    return struct.pack(">I", len(body)) + body


def one_field(letter, value):
    if letter == "$":
        return short_string(value or "")
    if letter == "S":
        return long_string(value or "")
    if letter == "F":
        return table_bytes(value or [])
    return struct.pack(NUMBERS[letter], value or 0)


def method_bytes(method, arguments):
    prefix, fields = BY_NAME[method]
    parts, bits, count = [prefix], 0, 0
    for name, letter in fields:
        value = arguments.get(name)
        if letter == "b":
            bits |= bool(value) << count
            count += 1
            continue
        if count:
            parts.append(bytes([bits]))
            bits = count = 0
        parts.append(one_field(letter, value))
    if count:
        parts.append(bytes([bits]))
    return b"".join(parts)


def frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + END


def content_frames(channel, properties, body, frame_max):
    flags, parts = 0, []
    for bit, (name, letter) in enumerate(PROPERTIES):
        if name in properties:
            flags |= 1 << (15 - bit)
            parts.append(one_field(letter, properties[name]))
    data = body.encode("latin-1")
    header = struct.pack(">HHQH", 60, 0, len(data), flags) + b"".join(parts)
    room = frame_max - 8
    return frame(HEADER, channel, header) + b"".join(
        frame(BODY, channel, data[at:at + room]) for at in range(0, len(data), room))


# -- bytes in -----------------------------------------------------------------------------------------------------------

class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self, form=">I"):
        return self.take(self.number(form)).decode("latin-1")

    def value(self):
        letter = chr(self.take(1)[0])
        if letter in VALUES:
            return [letter, self.number(VALUES[letter])]
        if letter in "Sx":
            return [letter, self.text()]
        if letter == "D":
            return [letter, [self.number(">B"), self.number(">i")]]
        if letter == "F":
            return [letter, self.table()]
        if letter == "A":
            inner, values = Reader(self.take(self.number(">I"))), []
            while inner.at < len(inner.data):
                values.append(inner.value())
            return [letter, values]
        return [letter, None]

    def table(self):
        inner, fields = Reader(self.take(self.number(">I"))), []
        while inner.at < len(inner.data):
            fields.append([inner.text(">B"), inner.value()])
        return fields

    def field(self, letter):
        if letter == "$":
            return self.text(">B")
        if letter == "S":
            return self.text()
        if letter == "F":
            return self.table()
        return self.number(NUMBERS[letter])


def read_method(payload):
    class_id, number = struct.unpack(">HH", payload[:4])
    method, fields = BY_ID[class_id, number]
    reader, arguments, bits, count = Reader(payload), {}, 0, 0
    reader.at = 4
    for name, letter in fields:
        if letter == "b":
            if count % 8 == 0:
                bits = reader.take(1)[0]
            arguments[name] = bool(bits >> count % 8 & 1)
            count += 1
        else:
            arguments[name] = reader.field(letter)
    return method, arguments


def read_header(payload):
    size, flags = struct.unpack(">QH", payload[4:14])
    reader, properties = Reader(payload), {}
    reader.at = 14
    for bit, (name, letter) in enumerate(PROPERTIES):
        if flags >> (15 - bit) & 1:
            properties[name] = reader.field(letter)
    return size, properties


# -- a connection -------------------------------------------------------------------------------------------------------

class Connection:
    """A logged-in connection. `heard(channel, method, arguments)` is called for each method; those with content have
    `properties` and `body` among their arguments. Answers a server's close by itself."""

    def __init__(self, port, heard):
        self.heard, self.buffer, self.content, self.alive = heard, b"", {}, True
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(b"AMQP\0\0\x09\x01")
        tuned = []
        self.heard = lambda channel, method, arguments: tuned.append((method, arguments))
        self.until(lambda: tuned)
        capabilities = ["F", [[name, ["t", True]] for name in ("consumer_cancel_notify", "basic.nack",
                                                              "publisher_confirms", "authentication_failure_close")]]
        self.send(0, "connection.start-ok", client_properties=[["capabilities", capabilities]], mechanism="PLAIN",
                  response="\0guest\0guest", locale="en_US")
        self.until(lambda: len(tuned) == 2)
        limits = tuned[1][1]
        self.frame_max = limits["frame_max"]
        self.send(0, "connection.tune-ok", channel_max=limits["channel_max"], frame_max=self.frame_max, heartbeat=0)
        self.send(0, "connection.open", virtual_host="/")
        self.until(lambda: len(tuned) == 3)
        self.heard = heard

    def send(self, channel, method, **arguments):
        self.raw(frame(METHOD, channel, method_bytes(method, arguments)))

    def publish(self, channel, properties, body, **arguments):
        self.raw(frame(METHOD, channel, method_bytes("basic.publish", arguments)) +
                 content_frames(channel, properties, body, self.frame_max))

    def raw(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # what the server said last is still to be read

    def until(self, condition, deadline_s=DEADLINE_S):
        """Reads until the condition holds or the connection is gone. False if neither happens in time."""
        end = time.monotonic() + deadline_s
        while not condition():
            if not self.alive:
                return False
            left = end - time.monotonic()
            if left <= 0:
                return False
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(1 << 18)
            except TimeoutError:
                return False
            except OSError:
                data = b""
            if not data:
                self.gone()
                return False
            self.feed(data)
        return True

    def gone(self):
        if self.alive:
            self.alive = False
            self.socket.close()
            self.heard(0, "socket closed", {})

    def feed(self, data):
        data = self.buffer + data
        at = 0
        while len(data) - at >= 8:
            kind, channel, size = struct.unpack_from(">BHI", data, at)
            if len(data) - at < size + 8:
                break
            self.on_frame(kind, channel, data[at + 7:at + 7 + size])
            at += size + 8
        self.buffer = data[at:]

    def on_frame(self, kind, channel, payload):
        if kind == METHOD:
            method, arguments = read_method(payload)
            if method in CONTENT:
                self.content[channel] = [method, arguments, None, []]
                return
            if method == "channel.close":
                self.send(channel, "channel.close-ok")
            elif method == "connection.close":
                self.send(0, "connection.close-ok")
            self.heard(channel, method, arguments)
        elif kind == HEADER:
            size, properties = read_header(payload)
            self.content[channel][1]["properties"] = properties
            self.content[channel][2] = size
            self.whole(channel)
        elif kind == BODY:
            self.content[channel][3].append(payload)
            self.content[channel][2] -= len(payload)
            self.whole(channel)

    def whole(self, channel):
        method, arguments, missing, parts = self.content[channel]
        if missing == 0:
            del self.content[channel]
            arguments["body"] = b"".join(parts).decode("latin-1")
            self.heard(channel, method, arguments)

    def close(self):
        """Politely, so that its exclusive queues are gone when this returns."""
        if self.alive:
            self.send(0, "connection.close", reply_code=200, reply_text="bye")
            closed = []
            heard, self.heard = self.heard, lambda channel, method, arguments: closed.append(method)
            self.until(lambda: "connection.close-ok" in closed, 5)
            self.heard = heard
            self.alive = False
            self.socket.close()

#!/usr/bin/env python3
"""Damaged AMQP conversations against a running node: valid ones, with bits flipped, frames cut, doubled, out of order,
with lies about lengths and with methods of any number. The node must not crash, no well-behaved neighbour may wait
longer than a second, and memory must come back. The same seed sends the same bytes.

    live_mutation.py --frames 1000000          a node of its own, of the binary SWITCHBOARD_BINARY
    live_mutation.py --port 5672 --pid 4711    one that runs

Prints one line of JSON; exit code 1 if a demand is not met."""

import argparse
import json
import multiprocessing
import os
import pathlib
import random
import selectors
import socket
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from pamqp import commands  # noqa: E402

from conftest import SANITIZED, Node  # noqa: E402
from wire import (BODY, HEADER, METHOD, PROTOCOL_HEADER, Wire, frame, header_payload, method, publish, short,  # noqa: E402
                  start_ok)

RSS_GROWTH_MAX = 64 << 20
HANG_S = 1.0
AT_ONCE = 16  # connections of one worker
CONNECTION_S = 10.0  # no connection of ours may live longer: it has said all and shut its side


def rss_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# -- valid conversations ------------------------------------------------------------------------------------------------

LOGIN = [method(0, start_ok()), method(0, commands.Connection.TuneOk(2047, 131072, 0)), method(0, commands.Connection.Open("/"))]
HEADERS = (b"\x01tt\x01" + b"\x01II\0\0\0\x07" + b"\x01SS" + struct.pack(">I", 4) + b"text" + b"\x01FF" +
           struct.pack(">I", 4) + b"\x01nt\x01" + b"\x02CCA" + struct.pack(">I", 7) + b"S" + struct.pack(">I", 2) + b"q1")
PROPERTIES = [b"\0\0", b"\x10\0\x02", b"\x20\0" + struct.pack(">I", len(HEADERS)) + HEADERS,
              b"\xfe\x00" + short(b"text/plain") + short(b"utf8") + struct.pack(">I", len(HEADERS)) + HEADERS + b"\x02\x04" +
              short(b"correlation") + short(b"amq.rabbitmq.reply-to"), b"\x01\x00" + short(b"60000")]
ARGUMENTS = [{}, {"x-max-length": 10}, {"x-message-ttl": 50, "x-dead-letter-exchange": "amq.fanout"}, {"x-max-priority": 5},
             {"x-expires": 1000}, {"x-max-length": 5, "x-overflow": "reject-publish"}, {"x-single-active-consumer": True},
             {"x-queue-type": "quorum", "x-delivery-limit": 2}]


def conversation(dice, number):
    """Frames of one connection behind its login. Queues are its own, so that they go with it."""
    q = [f"live-{number}-{i}" for i in range(2)]
    key = lambda: dice.choice(q + ["q1", "a.b.c", ""])
    exchange = lambda: dice.choice(["", "amq.direct", "amq.topic", "amq.fanout", "amq.headers", "none"])
    c = commands

    def content():
        body = dice.randbytes(dice.choice((0, 1, 100, 5000)))
        pieces = publish(1, exchange(), key(), body, dice.choice(PROPERTIES))
        return [pieces] if dice.random() < 0.8 else split(pieces)

    makers = [
        lambda: [method(1, c.Queue.Declare(queue=dice.choice(q), exclusive=True, arguments=dice.choice(ARGUMENTS)))],
        lambda: [method(1, c.Queue.Declare(queue="", exclusive=True))],
        lambda: [method(1, c.Queue.Bind(queue=dice.choice(q), exchange=exchange(), routing_key=dice.choice(["#", "a.*.#", "q1"]),
                                        arguments={"x-match": "any", "t": True}))],
        lambda: [method(1, c.Queue.Unbind(queue=dice.choice(q), exchange=exchange(), routing_key="#"))],
        lambda: [method(1, c.Queue.Purge(queue=dice.choice(q)))],
        lambda: [method(1, c.Queue.Delete(queue=dice.choice(q)))],
        lambda: [method(1, c.Exchange.Declare(exchange=f"live-{number}", exchange_type=dice.choice(["topic", "fanout", "headers"]),
                                              auto_delete=True)),
                 method(1, c.Exchange.Bind(destination=f"live-{number}", source="amq.fanout")),
                 method(1, c.Exchange.Delete(exchange=f"live-{number}"))],
        lambda: [method(1, c.Basic.Consume(queue=dice.choice(q), consumer_tag=dice.choice("abc"), no_ack=dice.random() < 0.5))],
        lambda: [method(1, c.Basic.Consume(queue="amq.rabbitmq.reply-to", no_ack=True))],
        lambda: [method(1, c.Basic.Cancel(consumer_tag=dice.choice("abc")))],
        lambda: [method(1, c.Basic.Get(queue=dice.choice(q), no_ack=dice.random() < 0.5))],
        lambda: [method(1, c.Basic.Ack(delivery_tag=dice.choice((0, 1, 2, 99)), multiple=dice.random() < 0.5))],
        lambda: [method(1, c.Basic.Nack(delivery_tag=dice.choice((1, 2)), multiple=True))],
        lambda: [method(1, c.Basic.Reject(delivery_tag=1))],
        lambda: [method(1, c.Basic.Recover(requeue=True))],
        lambda: [method(1, c.Basic.Qos(prefetch_count=dice.choice((0, 1, 10)), global_=dice.random() < 0.5))],
        lambda: [method(1, c.Confirm.Select())],
        lambda: [method(1, c.Tx.Select()), method(1, c.Tx.Commit()), method(1, c.Tx.Rollback())],
        lambda: [method(1, c.Channel.Close(200, "", 0, 0)), method(1, c.Channel.CloseOk()), method(1, c.Channel.Open())],
        lambda: [frame(8, 0, b"")],
    ]
    frames = [method(1, c.Channel.Open()),
              method(1, c.Queue.Declare(queue=q[0], exclusive=True, arguments=dice.choice(ARGUMENTS))),
              method(1, c.Queue.Declare(queue=q[1], exclusive=True))]
    while len(frames) < 40:
        frames += content() if dice.random() < 0.35 else dice.choice(makers)()
    return frames


def split(data):
    """A string of whole frames as a list."""
    out = []
    while data:
        size = 8 + struct.unpack(">I", data[3:7])[0]
        out.append(data[:size])
        data = data[size:]
    return out


# -- damage -------------------------------------------------------------------------------------------------------------

EDGES = (0, 1, 127, 128, 255, 4095, 4096, 65535, 131064, 131072, 131073, 2**31 - 1, 2**31, 2**32 - 8, 2**32 - 1)


def put(data, at, new):
    return data[:at] + new + data[at + len(new):]


def flip_in_arguments(data, dice):
    """Well framed, with the same method: what reaches the deepest."""
    at = dice.randrange(11, len(data) - 1) if len(data) > 12 else dice.randrange(len(data))
    return put(data, at, bytes([data[at] ^ 1 << dice.randrange(8)]))


def flip_anywhere(data, dice):
    for _ in range(dice.choice((1, 1, 2, 8))):
        at = dice.randrange(len(data))
        data = put(data, at, bytes([data[at] ^ 1 << dice.randrange(8)]))
    return data


def lie_about_the_frame(data, dice):
    return put(data, 3, struct.pack(">I", dice.choice(EDGES)))


def lie_inside(data, dice):
    if len(data) < 16:
        return lie_about_the_frame(data, dice)
    return put(data, dice.randrange(7, len(data) - 5), struct.pack(">I", dice.choice(EDGES)))


def another_method(data, dice):
    return put(data, 7, struct.pack(">HH", dice.choice((10, 20, 40, 50, 60, 85, 90, dice.randrange(65536))),
                                    dice.choice((*range(0, 125), dice.randrange(65536)))))


def cut_well_framed(data, dice):
    payload = data[7:-1]
    return frame(data[0], struct.unpack(">H", data[1:3])[0], payload[:dice.randrange(len(payload) + 1)])


def grown_well_framed(data, dice):
    return frame(data[0], struct.unpack(">H", data[1:3])[0], data[7:-1] + dice.randbytes(dice.choice((1, 4, 300))))


def cut_off(data, dice):
    return data[:dice.randrange(len(data))]


def another_type(data, dice):
    return put(data, 0, bytes([dice.choice((0, 1, 2, 3, 4, 8, 255))]))


def another_channel(data, dice):
    return put(data, 1, struct.pack(">H", dice.choice((0, 1, 2, 2047, 2048, 65535))))


def another_end(data, dice):
    return data[:-1] + dice.randbytes(1)


def noise(data, dice):
    return dice.randbytes(dice.choice((1, 8, 100)))


DAMAGE = [flip_in_arguments] * 8 + [cut_well_framed] * 2 + [grown_well_framed] * 2 + [
    flip_anywhere, lie_about_the_frame, lie_inside, lie_inside, another_method, another_method, cut_off, another_type,
    another_channel, another_channel, another_end, noise]


def damaged(frames, dice):
    """(bytes, how many frames were touched). A few of forty: most damage ends the connection, and what comes behind it
    is read over."""
    count = 0
    out = []
    for each in frames:
        roll = dice.random()
        if roll < 0.07:
            out.append(dice.choice(DAMAGE)(each, dice))
            count += 1
        elif roll < 0.08:  # twice
            out += [each, each]
            count += 1
        elif roll < 0.09 and out:  # out of order
            out.insert(dice.randrange(len(out)), each)
            count += 1
        elif roll < 0.1:  # not at all
            count += 1
        else:
            out.append(each)
    return b"".join(out), count


def one_connection(dice, number):
    """(what to send, how many damaged frames are in it)."""
    frames = conversation(dice, number)
    if dice.random() < 0.1:  # damage before the login, which few connections would survive
        data, count = damaged(LOGIN + frames, dice)
        head = PROTOCOL_HEADER if dice.random() < 0.9 else flip_anywhere(PROTOCOL_HEADER, dice)
        return head + data, count
    data, count = damaged(frames[1:], dice)
    return PROTOCOL_HEADER + b"".join(LOGIN) + frames[0] + data, count


# -- sending ------------------------------------------------------------------------------------------------------------

def work(port, seed, frames, source, progress, report):
    """Sends conversations on AT_ONCE connections until so many damaged frames went out."""
    dice = random.Random(seed)
    chosen = selectors.DefaultSelector()
    sent = connections = 0
    slowest = 0.0
    alive = {}

    def begin():
        nonlocal sent, connections
        data, count = one_connection(dice, f"{seed}-{connections}")
        sent += count
        connections += 1
        progress.value = sent
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Many short connections from one address would run out of ports.
        sock.bind((f"127.{source}.{connections >> 12 & 255}.1", 0))
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        alive[sock] = [data, time.monotonic()]
        chosen.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def end(sock):
        nonlocal slowest
        slowest = max(slowest, time.monotonic() - alive[sock][1])
        chosen.unregister(sock)
        sock.close()
        del alive[sock]

    while sent < frames or alive:
        while sent < frames and len(alive) < AT_ONCE:
            begin()
        for key, events in chosen.select(1.0):
            sock = key.fileobj
            try:
                if events & selectors.EVENT_READ:
                    if not sock.recv(1 << 18):
                        end(sock)
                        continue
                if events & selectors.EVENT_WRITE:
                    state = alive[sock]
                    state[0] = state[0][sock.send(state[0]):]
                    if not state[0]:
                        sock.shutdown(socket.SHUT_WR)
                        chosen.modify(sock, selectors.EVENT_READ)
            except BlockingIOError:
                pass
            except OSError:
                end(sock)
        for sock in [s for s, (_, since) in alive.items() if time.monotonic() - since > CONNECTION_S]:
            end(sock)  # `slowest` tells
    report.put((sent, connections, slowest))


class Neighbour:
    """A client that does everything right, and how long it ever waited for its own message to come back."""

    def __init__(self, port):
        self.wire = Wire(port).go("channel")
        self.queue = self.wire.call(commands.Queue.Declare(queue="", exclusive=True), commands.Queue.DeclareOk).queue
        self.wire.call(commands.Basic.Consume(queue=self.queue, no_ack=True), commands.Basic.ConsumeOk)
        self.waits = []
        self.failed = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.stop.is_set():
                began = time.monotonic()
                self.wire.send(publish(1, "", self.queue, b"ping"))
                for kind in (METHOD, HEADER, BODY):
                    assert self.wire.frame(60)[0] == kind
                self.waits.append(time.monotonic() - began)
                self.stop.wait(0.01)
        except Exception as failure:  # the node is gone, or hangs
            self.failed = repr(failure)

    def end(self):
        self.stop.set()
        self.thread.join(70)
        self.wire.socket.close()
        waits = sorted(self.waits) or [float("inf")]
        return {"rounds": len(waits), "p99_ms": round(waits[int(len(waits) * 0.99)] * 1e3, 2), "max_ms": round(waits[-1] * 1e3, 1)}


def attack(port, frames, seed, workers):
    """Sums over all workers: (frames, connections, slowest connection in seconds, why it was given up or None)."""
    report = multiprocessing.Queue()
    progress = [multiprocessing.Value("q", 0) for _ in range(workers)]
    share = [frames // workers + (i < frames % workers) for i in range(workers)]
    crew = [multiprocessing.Process(target=work, args=(port, seed * 100 + i, share[i], 10 + i, progress[i], report))
            for i in range(workers)]
    for each in crew:
        each.start()
    found, last, since, stuck = [], -1, time.monotonic(), None
    while len(found) < workers and not stuck:
        try:
            found.append(report.get(timeout=1))
        except Exception:  # queue.Empty
            now = sum(each.value for each in progress)
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > 60:
                stuck = f"nothing got on for a minute, at {now} frames"
            if not any(each.is_alive() for each in crew) and len(found) < workers and report.empty():
                stuck = "the senders failed"
    for each in crew:
        each.terminate() if stuck else each.join()
    return (sum(f[0] for f in found), sum(f[1] for f in found), max((f[2] for f in found), default=0.0), stuck)


def run(port, pid, frames, seed=1, workers=2):
    """The figures, and what was not as it should be."""
    attack(port, max(frames // 20, 500), seed + 1000, workers)  # warm: buffers, maps, the allocator's arenas
    rss = rss_bytes(pid)
    neighbour = Neighbour(port)
    began = time.monotonic()
    sent, connections, slowest, stuck = attack(port, frames, seed, workers)
    took = time.monotonic() - began
    beside = neighbour.end()
    wrong = [text for text in (stuck, neighbour.failed) if text]
    growth = rss_bytes(pid) - rss if pathlib.Path(f"/proc/{pid}").exists() else 0
    with Wire(port) as again:  # still there
        again.go("channel")
    if beside["max_ms"] > HANG_S * 1e3:
        wrong.append("the neighbour waited")
    if not SANITIZED and growth > RSS_GROWTH_MAX:
        wrong.append("memory grew")
    return {"frames": sent, "connections": connections, "seconds": round(took, 1), "slowest_connection_s": round(slowest, 2),
            "neighbour": beside, "rss_growth_mib": round(growth / 2**20, 1), "seed": seed}, wrong


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--frames", type=int, default=1_000_000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--port", type=int)
    asked.add_argument("--pid", type=int)
    how = asked.parse_args()
    if how.port:
        figures, wrong = run(how.port, how.pid, how.frames, how.seed, how.workers)
    else:
        with tempfile.TemporaryDirectory() as folder:
            node = Node(pathlib.Path(folder) / "data", ["log.level=error"]).start()
            try:
                figures, wrong = run(node.amqp, node.pid, how.frames, how.seed, how.workers)
            finally:
                node.end()
    print(json.dumps({**figures, "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

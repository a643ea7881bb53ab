#!/usr/bin/env python3
"""What a bad neighbour does to the others: p99 of a paced publish -> consume on a connection and queue of its own, in
windows in turn without and with the bad neighbour, so that what the machine does meanwhile falls on both.

    bench/neighbours.py [--pairs 8] [--seconds 4] [--rate 1000]

stalled_consumer    64 KiB messages for a consumer that does not read its socket, published as fast as they are taken
stalled_publisher   half a frame on each of 50 connections, and half a body on each of 50 more
never_acks          256-byte messages for a consumer that reads all and acknowledges nothing

Printed: the medians of the windows' p99 and the ratio with/without, once per kind; growth of the node's memory."""

import json
import multiprocessing
import statistics
import threading
import time

from load import arguments, broker, rss_bytes
from pamqp import commands
from wire import BODY, HEADER, METHOD, Closed, Wire, frame, header_payload, method, publish

c = commands


class Pace:
    """Publishes on one connection at a steady rate and consumes on another; how long each message took."""

    def __init__(self, port, rate):
        self.rate = rate
        self.sender = Wire(port).go("channel")
        self.taker = Wire(port).go("channel")
        self.queue = self.taker.call(c.Queue.Declare(queue="", exclusive=True), c.Queue.DeclareOk).queue
        self.taker.call(c.Basic.Consume(queue=self.queue, no_ack=True), c.Basic.ConsumeOk)

    def window(self, seconds):
        """p99 in seconds, counted from when each message should have been sent: a stalled sender counts too."""
        count = int(self.rate * seconds)
        taken = []
        due = [0.0] * count

        def take():
            for number in range(count):
                for _ in (METHOD, HEADER, BODY):
                    self.taker.frame(30)
                taken.append(time.perf_counter() - due[number])

        thread = threading.Thread(target=take)
        began = time.perf_counter() + 0.01
        for number in range(count):
            due[number] = began + number / self.rate
        thread.start()
        message = publish(1, "", self.queue, b"x" * 256)
        for number in range(count):
            wait = due[number] - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            self.sender.send(message)
        thread.join()
        return sorted(taken)[int(count * 0.99)]


class Bad:
    """A bad neighbour that can be begun and ended many times."""

    def __init__(self, port):
        self.port = port
        self.stop = threading.Event()
        self.wires = []
        self.threads = []

    def open(self, stage="channel"):
        self.wires.append(Wire(self.port).go(stage))
        return self.wires[-1]

    def run(self, what):
        def guarded():
            try:
                what()
            except (Closed, OSError, ValueError):
                pass  # it was ended

        self.threads.append(threading.Thread(target=guarded, daemon=True))
        self.threads[-1].start()

    def flood(self, queue, body, per_second):
        """Publishes at most so many, fewer if the node holds it back."""
        sender = self.open()
        data = publish(1, "", queue, body)

        def send():
            began, sent = time.monotonic(), 0
            while not self.stop.is_set():
                if not sender.send(data):
                    return
                sent += 1
                ahead = sent / per_second - (time.monotonic() - began)
                if ahead > 0:
                    time.sleep(ahead)

        sender.socket.settimeout(None)
        self.run(send)

    def end(self):
        self.stop.set()
        for wire in self.wires:
            try:
                wire.socket.shutdown(2)
            except OSError:
                pass
            wire.socket.close()
        for thread in self.threads:
            thread.join(10)


class StalledConsumer(Bad):
    name = "stalled_consumer"

    def begin(self):
        taker = self.open()
        queue = taker.call(c.Queue.Declare(queue="", auto_delete=True), c.Queue.DeclareOk).queue
        taker.call(c.Basic.Consume(queue=queue, no_ack=True), c.Basic.ConsumeOk)
        self.flood(queue, b"x" * 65536, 5000)  # and `taker` reads nothing any more


class StalledPublisher(Bad):
    name = "stalled_publisher"

    def begin(self):
        for _ in range(50):
            self.open().send(frame(METHOD, 1, b"x" * 1000)[:500])
        for _ in range(50):
            half = self.open()
            half.send(method(1, c.Basic.Publish(exchange="", routing_key="none")))
            half.send(frame(HEADER, 1, header_payload(1 << 20)) + frame(BODY, 1, b"x" * 100_000))


class NeverAcks(Bad):
    name = "never_acks"

    def begin(self):
        taker = self.open()
        queue = taker.call(c.Queue.Declare(queue="", auto_delete=True), c.Queue.DeclareOk).queue
        taker.call(c.Basic.Consume(queue=queue), c.Basic.ConsumeOk)
        self.flood(queue, b"x" * 256, 2000)

        def read():
            while not self.stop.is_set():
                try:
                    taker._fill(1)
                    taker.buffer = b""
                except TimeoutError:
                    pass

        self.run(read)


class Apart:
    """A bad neighbour in a process of its own: beside the one that measures it would hold that one's interpreter up."""

    def __init__(self, kind, port):
        self.ready, self.over = multiprocessing.Event(), multiprocessing.Event()
        self.process = multiprocessing.Process(target=self.be, args=(kind, port), daemon=True)
        self.process.start()
        self.ready.wait(30)

    def be(self, kind, port):
        bad = kind(port)
        bad.begin()
        self.ready.set()
        self.over.wait()
        bad.end()

    def end(self):
        self.over.set()
        self.process.join(30)


def main():
    asked = arguments(__doc__)
    asked.add_argument("--pairs", type=int, default=8)
    asked.add_argument("--seconds", type=float, default=4)
    asked.add_argument("--rate", type=int, default=1000)
    asked.add_argument("--only")
    how = asked.parse_args()
    with broker(how) as (port, pid):
        pace = Pace(port, how.rate)
        pace.window(2)  # warm
        for kind in (StalledConsumer, StalledPublisher, NeverAcks):
            if how.only and kind.name != how.only:
                continue
            before, without, beside, most = rss_bytes(pid), [], [], 0
            for _ in range(how.pairs):
                without.append(pace.window(how.seconds))
                bad = Apart(kind, port)
                time.sleep(0.5)  # its buffers fill up: what counts is the state that lasts
                beside.append(pace.window(how.seconds))
                most = max(most, rss_bytes(pid))
                bad.end()
                time.sleep(0.5)
            alone, together = statistics.median(without), statistics.median(beside)
            ratios = sorted(b / a for a, b in zip(without, beside))
            print(json.dumps({"neighbour": kind.name, "p99 without, ms": round(alone * 1e3, 3), "p99 with, ms": round(together * 1e3, 3),
                              "ratio of medians": round(together / alone, 2), "ratios of pairs": [round(r, 2) for r in ratios],
                              "memory at most, MiB more": round((most - before) / 2**20, 1)}), flush=True)


if __name__ == "__main__":
    main()

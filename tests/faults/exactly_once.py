#!/usr/bin/python3
"""Commands by AMQP and HTTP, repeated at random and until answered, while the node is killed and replies are lost: each
takes effect once, and each repeat gets the same answer. Recounted from the calls and events that there are.

usage: exactly_once.py [--commands N] [--rate COMMANDS_PER_S] [--seed S] [--directory D]
Prints one line of JSON. Exit 1 if a promise was broken.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import pathlib
import queue
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid

from client import BODY, DELIVER, HEADER, METHOD, Closed, commands as methods, connect, frame, header_payload, method, method_of
from effects import judge
from kill_loop import Killer

import pika
from conftest import CUSTOMER, Node, until
from pamqp import frame as frames

QUEUES = ("bin-manager.call.request", "bin-manager.call-manager.request")
REPLY_TO = b"amq.rabbitmq.reply-to"
# Ends by what the loopback trunk plays: busy, unreachable, rejected, hangs up after a second, stays.
DESTINATIONS = ("+15550000200", "+15550000400", "+15550000500", "+15550000101", "+15550000999")
POINTS = {"entity.before_commit": 60, "entity.submitted": 60, "entity.committed": 60, "log.before_write": 200,
          "log.after_write": 200, "log.after_sync": 200, "checkpoint.before_commit": 3, "checkpoint.after_commit": 3}
EVENTS = "fault.events"


def message_id(seed, number):
    return str(uuid.UUID(int=random.Random(f"{seed} {number}").getrandbits(128), version=4))


def body_of(number):
    return {"source": {"type": "tel", "target": f"+1555{number:08d}"},
            "destinations": [{"type": "tel", "target": DESTINATIONS[number % len(DESTINATIONS)]}]}


class Answers:
    """Lines of a file: what a client was answered."""

    def __init__(self, path):
        self.file, self.lock = open(path, "a", buffering=1), threading.Lock()

    def write(self, number, wire, status, body):
        with self.lock:
            self.file.write(json.dumps([number, wire, status, body.decode()]) + "\n")


# -- commands by AMQP ---------------------------------------------------------------------------------------------------


class Command:
    def __init__(self, number, copies):
        self.number, self.copies, self.due, self.answered = number, copies, 0.0, False


class AmqpClient:
    """Direct reply-to, many commands at once. Cuts its connection now and then without reading what comes."""

    def __init__(self, port, path, seed, numbers, rate, dice):
        self.port, self.answers, self.seed, self.rate, self.dice = port, Answers(path), seed, rate, dice
        self.fresh = list(reversed(numbers))
        self.active = {}
        self.sent = self.cuts = 0

    def run(self):
        began, taken = time.monotonic(), 0
        while self.fresh or self.active:
            link = connect(self.port, 1)
            try:
                link.wire.method(1, methods.Basic.Consume(queue=REPLY_TO.decode(), consumer_tag="c", no_ack=True))
                link.wire.expect(methods.Basic.ConsumeOk)
                for each in self.active.values():  # no reply of before can come any more
                    if not each.answered:
                        each.due = 0
                while self.fresh or self.active:
                    while self.fresh and taken < (time.monotonic() - began) * self.rate:
                        taken += 1
                        number = self.fresh.pop()
                        self.active[number] = Command(number, self.dice.randint(1, 5))
                    self.send_due(link)
                    if self.dice.random() < 0.003:
                        self.cuts += 1
                        break
                    self.receive(link)
            except Closed:
                pass
            link.close()

    def send_due(self, link):
        now = time.monotonic()
        for each in [one for one in self.active.values() if one.due <= now]:
            burst = self.dice.choice([1, 1, 1, 2, 3]) if not each.answered else 1
            each.due = now + self.dice.uniform(0.1, 1.5)  # then this client's patience is over
            for _ in range(burst):
                each.copies -= 1
                self.sent += 1
                link.send(self.request(each.number))

    def request(self, number):
        envelope = json.dumps({"message_id": message_id(self.seed, number), "timestamp": "2026-01-20T12:00:00.000Z",
                               "route": "/v1/calls", "method": "POST", "headers": {"customer_id": CUSTOMER},
                               "body": body_of(number)}).encode()
        mode = self.dice.randint(1, 2)
        correlation = str(number).encode()
        properties = (struct.pack(">HB", 0x1600, mode) + bytes([len(correlation)]) + correlation +
                      bytes([len(REPLY_TO)]) + REPLY_TO)
        return (method(1, methods.Basic.Publish(exchange="", routing_key=self.dice.choice(QUEUES))) +
                frame(HEADER, 1, header_payload(len(envelope), properties)) + frame(BODY, 1, envelope))

    def receive(self, link):
        for kind, channel, payload in link.frames(0.01):
            if kind == METHOD:
                assert method_of(payload) == DELIVER, payload
            elif kind == HEADER:
                self.number = int(frames.unmarshal(frame(kind, channel, payload))[2].properties.correlation_id)
            elif kind == BODY:
                self.on_reply(self.number, payload)

    def on_reply(self, number, reply):
        status = json.loads(reply)["status_code"]
        self.answers.write(number, "amqp", status, reply)
        each = self.active.get(number)
        if not each or status >= 500:
            return
        each.answered = True
        if each.copies > 0:
            each.due = time.monotonic() + self.dice.choice([0, 0.05, 0.5, 3])  # once more, perhaps after a restart
        else:
            del self.active[number]


def run_amqp(port, path, seed, numbers, rate, dice_seed, told):
    client = AmqpClient(port, path, seed, numbers, rate, random.Random(dice_seed))
    client.run()
    told.put({"requests_amqp": client.sent, "replies_cut": client.cuts})


# -- commands by HTTP ---------------------------------------------------------------------------------------------------


def run_http(port, path, seed, numbers, rate, dice_seed, told):
    """Four threads; copies of one command may be with two of them at once."""
    dice, answers, tasks = random.Random(dice_seed), Answers(path), queue.Queue()
    counts = {"requests_http": 0, "replies_cut": 0}

    def once(number, key):
        """True if it was answered for good."""
        counts["requests_http"] += 1
        headers = {"X-Customer-Id": CUSTOMER, "Content-Type": "application/json", "Idempotency-Key": key,
                   "X-Request-Timeout": str(dice.choice([5, 50, 1000, 3000]))}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("POST", "/v1/calls", json.dumps(body_of(number)), headers)
            if dice.random() < 0.05:
                counts["replies_cut"] += 1
                return False
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)
            return False
        finally:
            connection.close()
        answers.write(number, "http", answer.status, body)
        return answer.status < 500

    def work():
        while (number := tasks.get()) is not None:
            while not once(number, message_id(seed, number)):
                time.sleep(0.01)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    later = []
    for number in numbers:
        for _ in range(dice.randint(1, 3)):
            tasks.put(number)
        if dice.random() < 0.5:
            later.append(number)
        while len(later) > 100:
            tasks.put(later.pop(dice.randrange(len(later))))
        time.sleep(1 / rate)
    for number in later:
        tasks.put(number)
    for _ in threads:
        tasks.put(None)
    for each in threads:
        each.join()
    told.put(counts)


# -- events -------------------------------------------------------------------------------------------------------------


def run_events(port, path, stop):
    """Acknowledges what it has written down."""
    file = open(path, "a", buffering=1)
    while not stop.is_set():
        try:
            connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port))
            channel = connection.channel()
            channel.basic_qos(prefetch_count=200)
            for delivery, _, body in channel.consume(EVENTS, inactivity_timeout=0.1):
                if delivery:
                    event = json.loads(body)
                    file.write(json.dumps([event["event_id"], event["event_type"], event["resource_id"],
                                           delivery.redelivered]) + "\n")
                    channel.basic_ack(delivery.delivery_tag)
                if stop.is_set():
                    break
            connection.close()
        except (pika.exceptions.AMQPError, OSError):
            time.sleep(0.01)


# -- the whole ----------------------------------------------------------------------------------------------------------


def run(directory, commands, seed, rate=150, points=True):
    """(figures, violations)."""
    dice = random.Random(seed)
    directory = pathlib.Path(directory)
    node = Node(directory / "data").start()
    declare(node)
    stop, told = multiprocessing.Event(), multiprocessing.Queue()
    files = {name: directory / name for name in ("amqp0", "amqp1", "http", "last", "events")}
    numbers = list(range(1, commands + 1))
    shares = {"amqp0": numbers[0::5] + numbers[1::5], "amqp1": numbers[2::5] + numbers[3::5], "http": numbers[4::5]}
    clients = [multiprocessing.Process(target=run_http if name == "http" else run_amqp,
                                       args=(node.http if name == "http" else node.amqp, files[name], seed, share,
                                             rate * len(share) / commands, dice.random(), told))
               for name, share in shares.items()]
    events = multiprocessing.Process(target=run_events, args=(node.amqp, files["events"], stop))
    began = time.monotonic()
    counts = {}
    try:
        for each in (*clients, events):
            each.start()
        time.sleep(0.3)
        node.kill()
        killer = Killer(node, dice, POINTS)
        kills = 1
        while any(each.is_alive() for each in clients):
            killer.kill_once(kills, points)
            kills += 1
            assert all(each.exitcode in (None, 0) for each in clients), "a client has failed; its traceback is above"
            # A client of many commands is done when the last is; kills end when hardly any is left.
            assert time.monotonic() - began < 120 + 10 * commands / rate, "the clients don't come to an end"
        seconds = time.monotonic() - began
        for _ in clients:
            for name, count in told.get(timeout=5).items():
                counts[name] = counts.get(name, 0) + count
        node.start()
        ask_all_again(node, files["last"], seed, numbers)
        calls = settled_calls(node)
        until("all events are taken", lambda: depth(node) == 0)
        stop.set()
        events.join(10)
        assert node.stop() == 0
    finally:
        for each in (*clients, events):
            if each.is_alive():
                each.kill()
        if node.lines and node.lines.process.poll() is None:
            node.kill()
    replies = [tuple(line) for name in ("amqp0", "amqp1", "http", "last") for line in lines(files[name])]
    figures, violations = judge(numbers, replies, calls, [tuple(line) for line in lines(files["events"])])
    return {"seed": seed, "kills": kills, "kinds": dict(killer.kinds), "missed_points": dict(killer.missed),
            "seconds": round(seconds, 1), **counts, **figures}, violations


def declare(node):
    connection = node.pika()
    channel = connection.channel()
    channel.queue_declare(EVENTS, durable=True)
    channel.queue_bind(EVENTS, "call.events", "#")
    connection.close()


def ask_all_again(node, path, seed, numbers):
    """Once more each, on the other side of all restarts, by both wires in turn."""
    answers = Answers(path)
    client = AmqpClient(node.amqp, path, seed, numbers, 1e9, random.Random(seed))
    client.answers = answers
    for number in numbers:
        client.active[number] = Command(number, 1)
    client.fresh = []
    client.dice = Steady()
    client.run()
    connection = http.client.HTTPConnection("127.0.0.1", node.http, timeout=10)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for number in numbers[::5]:
        connection.request("POST", "/v1/calls", json.dumps(body_of(number)),
                           {"X-Customer-Id": CUSTOMER, "Content-Type": "application/json",
                            "Idempotency-Key": message_id(seed, number)})
        answer = connection.getresponse()
        answers.write(number, "http", answer.status, answer.read())
    connection.close()


class Steady:
    """Dice of a client that behaves."""

    def randint(self, low, high):
        return low

    def uniform(self, low, high):
        return 20.0

    def choice(self, among):
        return among[0]

    def random(self):
        return 1.0


def settled_calls(node):
    """All calls, once none changes any more by itself."""
    moving = ("dialing", "ringing", "canceling", "terminating")

    def look():
        found = all_calls(node)
        return found if not any(call["status"] in moving for call in found) else None

    until("no call is on its way", lambda: look() is not None, 30)
    time.sleep(1.5)  # those that hang up after a second
    until("no call is on its way", lambda: look() is not None, 30)
    return all_calls(node)


def all_calls(node):
    found, token = [], ""
    while True:
        status, page = node.request("GET", f"/v1/calls?page_size=1000{token}", headers={"X-Customer-Id": CUSTOMER})
        assert status == 200, page
        found += page["result"]
        if "next_page_token" not in page:
            return found
        token = "&page_token=" + page["next_page_token"]


def depth(node):
    connection = node.pika()
    try:
        return connection.channel().queue_declare(EVENTS, passive=True).method.message_count
    finally:
        connection.close()


def lines(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--commands", type=int, default=10_000)
    parse.add_argument("--rate", type=int, default=150)
    parse.add_argument("--points", action=argparse.BooleanOptionalAction, default=True)
    parse.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parse.add_argument("--directory", help="kept if given")
    asked = parse.parse_args()
    print(f"seed {asked.seed}", file=sys.stderr)
    directory = asked.directory or tempfile.mkdtemp(prefix="switchboard-faults-")
    os.makedirs(directory, exist_ok=True)
    try:
        figures, violations = run(directory, asked.commands, asked.seed, asked.rate, asked.points)
    finally:
        if not asked.directory:
            shutil.rmtree(directory, ignore_errors=True)
    print(json.dumps({"exactly_once": figures, "violations": violations}))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())

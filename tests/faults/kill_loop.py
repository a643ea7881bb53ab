#!/usr/bin/python3
"""SIGKILL at random moments and at named fail points, under confirmed load on four durable queues; a checker that saw
only what the clients saw recounts at the end.

usage: kill_loop.py [--kills N] [--seed S] [--rate MESSAGES_PER_S] [--no-points] [--directory D]
       kill_loop.py --backlog MESSAGES [--kills N]     how long from SIGKILL to the first delivery of a deep queue

Prints one line of JSON. Exit 1 if anything confirmed is lost, out of order, damaged, or twice without a reason.
"""

import argparse
import array
import collections
import itertools
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from client import (ACK, CANCEL, CLOSE, DELIVER, NACK, BODY, HEADER, METHOD, Closed, Sender, commands, connect, make_body,
                    method_of, read_body, unexpected)
from ledger import (CONFIRMED, CORRUPT, DELIVERED, REDELIVERED, RESENT, SENT, SETTLED, Queue, judge, read_words, word)

from conftest import SANITIZED, Node, until  # tests/system, which client.py has put on the path

PLAIN, QUORUM, REJECTED, DEAD = range(4)


def is_rejected(sequence):
    return sequence % 3 == 0


QUEUES = [Queue("fault.plain"), Queue("fault.quorum"), Queue("fault.rejected"),
          Queue("fault.dead", source=REJECTED, takes=is_rejected)]
ARGUMENTS = [{}, {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000},
             {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "fault.dead"}, {}]
SOURCES = (PLAIN, QUORUM, REJECTED)

# Where the node may kill itself, and up to which pass: often enough to be reached within a second or two.
POINTS = {"log.before_write": 300, "log.after_write": 300, "log.after_sync": 300, "checkpoint.before_commit": 3,
          "checkpoint.after_commit": 3, "recovery.before_commit": 1, "recovery.after_commit": 1,
          "queue.before_deletions": 300, "queue.after_deletions": 300, "dead_letters.before_commit": 300,
          "dead_letters.after_commit": 300}
POINT_WAIT_S = 10 if SANITIZED else 2.5


class Log:
    """Words into a file, in blocks."""

    def __init__(self, path):
        self.file, self.words = open(path, "ab", buffering=0), array.array("Q")

    def write(self):
        if self.words:
            self.words.tofile(self.file)
            self.words = array.array("Q")


# -- the publisher ------------------------------------------------------------------------------------------------------


class Channel:
    """One queue's publisher: what is next, and what waits for its confirm, oldest first."""

    def __init__(self, queue):
        self.queue, self.next = queue, 1
        self.sender = Sender(queue + 1, QUEUES[queue].name)
        self.waiting = collections.deque()  # sequence numbers
        self.early = set()  # confirmed before an older one
        self.base = 0  # delivery tag of what stands in front of waiting[0]
        self.tag = 0

    def reconnected(self):
        self.base = self.tag = 0
        again = [each for each in self.waiting if each not in self.early]
        self.waiting.clear()
        self.early.clear()
        return again

    def put(self, sequence):
        self.tag += 1
        self.waiting.append(sequence)
        return self.sender.frames(make_body(self.queue, sequence))

    def confirm(self, tag, multiple, words):
        """Words are of what is confirmed only now."""
        if not multiple and tag != self.base + 1:
            sequence = self.waiting[tag - self.base - 1]
            self.early.add(sequence)
            words.append(word(CONFIRMED, self.queue, sequence))
            return
        while self.base < tag or (self.waiting and self.waiting[0] in self.early):
            sequence = self.waiting.popleft()
            self.base += 1
            if sequence in self.early:
                self.early.discard(sequence)
            else:
                words.append(word(CONFIRMED, self.queue, sequence))


def publish(port, path, seed, rate, finish):
    """Until `finish` is set and all is confirmed. After a crash what has no confirm goes first, in its order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    dice, log = random.Random(seed), Log(path)
    channels = [Channel(queue) for queue in SOURCES]

    def is_over():
        return finish.is_set() and not any(each.waiting for each in channels)

    while not is_over():
        link = connect(port, len(channels), is_over)
        try:
            for each in channels:
                link.call(commands.Confirm.Select(), commands.Confirm.SelectOk, each.queue + 1)
            publish_until_closed(link, channels, dice, log, rate, finish)
        except Closed:
            pass
        log.write()
        link.close()


def publish_until_closed(link, channels, dice, log, rate, finish):
    window = dice.choice([1, 20, 200, 500, 500])
    for each in channels:
        again = each.reconnected()
        log.words.extend(word(RESENT, each.queue, sequence) for sequence in again)
        log.write()  # what may have happened is written down before it can happen
        link.send(b"".join([each.put(sequence) for sequence in again]))
    began, sent = time.monotonic(), 0
    while True:
        finishing = finish.is_set()
        if finishing and not any(each.waiting for each in channels):
            return
        due = 0 if finishing else int((time.monotonic() - began) * rate) - sent
        each = dice.choice(channels)
        count = min(window - len(each.waiting), due, dice.randint(1, 200))
        if count > 0:
            numbers = range(each.next, each.next + count)
            each.next += count
            sent += count
            log.words.extend(word(SENT, each.queue, sequence) for sequence in numbers)
            log.write()
            link.send(b"".join([each.put(sequence) for sequence in numbers]))
        for kind, channel, payload in link.frames(0 if count > 0 else 0.002):
            if kind != METHOD:
                continue
            assert method_of(payload) == ACK, f"not a confirm: {unexpected(payload)}"
            channels[channel - 1].confirm(int.from_bytes(payload[4:12], "big"), payload[12] & 1, log.words)
        log.write()


# -- the consumer -------------------------------------------------------------------------------------------------------


def consume(port, path, seed, stop, lazy):
    """Acknowledges in batches, rejects every third of one queue, gives some back; now and then it has something else
    to do, so that messages wait. Until `stop` is set."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    dice, log = random.Random(seed), Log(path)
    while not stop.is_set():
        link = connect(port, len(QUEUES), give_up=stop.is_set)
        if not link:
            break
        try:
            consume_until_closed(link, dice, log, stop, lazy)
        except Closed:
            pass
        log.write()
        link.close()


def consume_until_closed(link, dice, log, stop, lazy):
    if lazy.is_set() and dice.random() < 0.4:
        time.sleep(dice.uniform(0, 1.0))
    for queue in range(len(QUEUES)):
        link.call(commands.Basic.Qos(prefetch_count=dice.randint(50, 2000)), commands.Basic.QosOk, queue + 1)
    for queue, what in enumerate(QUEUES):
        link.wire.method(queue + 1, commands.Basic.Consume(queue=what.name, consumer_tag="c", nowait=True))
    held = [[] for _ in QUEUES]  # (tag, sequence), delivered and not settled
    begun = [None] * len(QUEUES)  # a delivery whose body is not complete: [tag, redelivered, size, parts]
    enough = dice.choice([1, 10, 100, 400])
    while not stop.is_set():
        frames = link.frames(0.02)
        for kind, channel, payload in frames:
            queue = channel - 1
            if kind == METHOD:
                assert method_of(payload) == DELIVER, f"not a delivery: {unexpected(payload)}"
                # consumer tag "c" is two bytes
                begun[queue] = [int.from_bytes(payload[6:14], "big"), payload[14] & 1, 0, []]
            elif kind == HEADER:
                begun[queue][2] = int.from_bytes(payload[4:12], "big")
            elif kind == BODY:
                one = begun[queue]
                one[3].append(payload)
                one[2] -= len(payload)
                if one[2] > 0:
                    continue
                found = read_body(payload if len(one[3]) == 1 else b"".join(one[3]))
                origin = QUEUES[queue].source if QUEUES[queue].source is not None else queue
                if not found or found[0] != origin:
                    log.words.append(word(CORRUPT, queue, found[1] if found else 0))
                    continue
                log.words.append(word(REDELIVERED if one[1] else DELIVERED, queue, found[1]))
                held[queue].append((one[0], found[1]))
        for queue, some in enumerate(held):
            if len(some) >= enough or (some and not frames):
                settle(link, queue, some, dice, log)
                held[queue] = []
        log.write()
        if lazy.is_set() and dice.random() < 0.002:
            time.sleep(dice.uniform(0, 0.3))


def settle(link, queue, some, dice, log):
    """Dead letters must keep their order, so that queue's messages are never given back."""
    if queue in (PLAIN, QUORUM) and dice.random() < 0.02:
        return link.send(frame_of(queue, NACK, some[-1][0], 3))  # multiple, requeue
    log.words.extend(word(SETTLED, queue, sequence) for _, sequence in some)
    log.write()
    if queue != REJECTED:
        return link.send(frame_of(queue, ACK, some[-1][0], 1))
    out, last = [], None
    for tag, sequence in some:
        if not is_rejected(sequence):
            last = tag
            continue
        if last:
            out.append(frame_of(queue, ACK, last, 1))
            last = None
        out.append(frame_of(queue, NACK, tag, 0))
    if last:
        out.append(frame_of(queue, ACK, last, 1))
    link.send(b"".join(out))


def frame_of(queue, what, tag, bits):
    return (b"\x01" + (queue + 1).to_bytes(2, "big") + b"\0\0\0\x0d" + what.to_bytes(4, "big") + tag.to_bytes(8, "big") +
            bytes([bits]) + b"\xce")


# -- the killer ---------------------------------------------------------------------------------------------------------


class Killer:
    """`points`: fail points and their highest pass; they come in turn."""

    def __init__(self, node, dice, points):
        self.node, self.dice, self.passes = node, dice, points
        self.ready_s, self.kinds, self.missed = [], collections.Counter(), collections.Counter()
        self.points = itertools.cycle(points)

    def kill_once(self, number, at_points):
        """At a point or at any moment, in turn."""
        self.at_a_point() if at_points and number % 2 else self.randomly()
        reports = [line for line in self.node.lines.seen if "Sanitizer" in line or "runtime error:" in line]
        assert not reports, "\n".join(self.node.lines.seen[-200:])

    def randomly(self):
        """Most die at work, some while they start."""
        if self.dice.random() < 0.1:
            self.node.launch()
            time.sleep(self.dice.uniform(0, 0.2))
            self.kinds["starting"] += 1
        else:
            self.ready_s.append(self.node.start().ready_s)
            time.sleep(self.dice.uniform(0.05, 1.5))
            self.kinds["random"] += 1
        self.node.kill()

    def at_a_point(self):
        name = next(self.points)
        nth = self.dice.randint(1, self.passes[name])
        self.node.launch({"SWITCHBOARD_FAIL_POINT": f"{name}:{nth}"})
        try:
            code = self.node.lines.process.wait(POINT_WAIT_S)
        except subprocess.TimeoutExpired:
            self.missed[name] += 1
            return self.node.kill()
        assert code == -signal.SIGKILL, f"{name}:{nth} ended with {code}:\n" + "\n".join(self.node.lines.seen[-20:])
        self.node.killed = True
        self.kinds[name] += 1


def declare(node):
    connection = node.pika()
    channel = connection.channel()
    for queue, arguments in zip(QUEUES, ARGUMENTS):
        channel.queue_declare(queue.name, durable=True, arguments=arguments)
    connection.close()


def depth(node):
    """Messages in all queues, those that are out included."""
    import base64
    login = {"Authorization": "Basic " + base64.b64encode(b"guest:guest").decode()}
    status, found = node.request("GET", "/api/queues/%2F?columns=name,messages", headers=login, port=node.admin)
    assert status == 200, found
    names = {queue.name for queue in QUEUES}
    return sum(one["messages"] for one in found if one["name"] in names)


def percentile(values, part):
    return round(sorted(values)[min(len(values) - 1, int(len(values) * part))], 3) if values else None


def run(directory, kills, seed, rate=20_000, points=True, drain_s=120):
    """(figures, violations)."""
    dice = random.Random(seed)
    directory = pathlib.Path(directory)
    node = Node(directory / "data")
    logs = directory / "published", directory / "consumed"
    node.start()
    declare(node)
    finish, stop, lazy = multiprocessing.Event(), multiprocessing.Event(), multiprocessing.Event()
    lazy.set()
    peers = [multiprocessing.Process(target=publish, args=(node.amqp, logs[0], dice.random(), rate, finish)),
             multiprocessing.Process(target=consume, args=(node.amqp, logs[1], dice.random(), stop, lazy))]
    began = time.monotonic()
    try:
        for each in peers:
            each.start()
        node.kill()
        killer = Killer(node, dice, POINTS)
        for number in range(kills):
            killer.kill_once(number, points)
            alive(peers)
        killed_s = time.monotonic() - began
        node.start()
        lazy.clear()
        finish.set()
        peers[0].join(drain_s)
        assert peers[0].exitcode == 0, "the publisher did not get its last confirms"
        until("the queues are empty", lambda: depth(node) == 0, drain_s)
        stop.set()
        peers[1].join(10)
        assert peers[1].exitcode == 0, "the consumer failed"
        assert node.stop() == 0
        node.start()  # what was settled is settled
        left = depth(node)
        assert node.stop() == 0
    finally:
        for each in peers:
            if each.is_alive():
                each.kill()
        if node.lines and node.lines.process.poll() is None:
            node.kill()
    with multiprocessing.Pool(1) as checker:
        figures, violations = checker.apply(judge_files, logs)
    if left:
        violations["left"] = [f"{left} messages in the queues after all were settled"]
    return {"kills": kills, "seed": seed, "kinds": dict(killer.kinds), "missed_points": dict(killer.missed),
            "seconds": round(killed_s, 1), **figures, "ready_s_p50": percentile(killer.ready_s, 0.5),
            "ready_s_p99": percentile(killer.ready_s, 0.99)}, violations


def alive(peers):
    assert all(each.is_alive() for each in peers), "a client has failed; its traceback is above"


def judge_files(published, consumed):
    return judge(QUEUES, read_words(published), read_words(consumed))


# -- a deep queue -------------------------------------------------------------------------------------------------------

BACKLOG_BODY_BYTES = 100
BACKLOG_WINDOW = 20_000


def run_backlog(directory, messages, kills):
    """(figures, violations). From SIGKILL to the first delivery: the start, the login, the consume; nothing before it."""
    node = Node(pathlib.Path(directory) / "data").start()
    try:
        declare(node)
        fill(node.amqp, messages)
        first_s, ready_s, violations = [], [], collections.defaultdict(list)
        for _ in range(kills):
            node.kill()
            killed = time.monotonic()
            node.launch()
            body = first_delivery(node.amqp)
            first_s.append(time.monotonic() - killed)
            found = read_body(body)
            if found != (PLAIN, 1):
                violations["wrong_first"].append(f"{found}")
            node.lines.line("the node is ready", lambda line: " ready in " in line)
            until("all are there", lambda: depth(node) == messages)
        assert node.stop() == 0
    finally:
        if node.lines.process.poll() is None:
            node.kill()
    return {"messages": messages, "kills": kills, "first_delivery_s_p50": percentile(first_s, 0.5),
            "first_delivery_s_max": percentile(first_s, 1)}, violations


def fill(port, messages):
    link = connect(port, 1)
    link.call(commands.Confirm.Select(), commands.Confirm.SelectOk)
    sender, sent, confirmed, early = Sender(1, QUEUES[PLAIN].name), 0, 0, set()
    while confirmed < messages:
        count = min(500, messages - sent, BACKLOG_WINDOW - (sent - confirmed))
        if count > 0:
            link.send(b"".join([sender.frames(make_body(PLAIN, sequence, BACKLOG_BODY_BYTES))
                                for sequence in range(sent + 1, sent + count + 1)]))
            sent += count
        for _, _, payload in link.frames(0 if count > 0 else 0.01):
            assert method_of(payload) == ACK, unexpected(payload)
            tag = int.from_bytes(payload[4:12], "big")
            early.update(range(confirmed + 1, tag + 1) if payload[12] & 1 else [tag])
        while confirmed + 1 in early:
            confirmed += 1
            early.discard(confirmed)
    link.close()


def first_delivery(port):
    link = connect(port, 1)
    link.call(commands.Basic.Qos(prefetch_count=1), commands.Basic.QosOk)
    link.wire.method(1, commands.Basic.Consume(queue=QUEUES[PLAIN].name, consumer_tag="c", nowait=True))
    while True:
        for kind, _, payload in link.frames(1):
            if kind == BODY:
                link.close()
                return payload


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--kills", type=int)
    parse.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parse.add_argument("--rate", type=int, default=20_000)
    parse.add_argument("--points", action=argparse.BooleanOptionalAction, default=True)
    parse.add_argument("--backlog", type=int, default=0)
    parse.add_argument("--directory", help="kept if given")
    asked = parse.parse_args()
    print(f"seed {asked.seed}", file=sys.stderr)
    directory = asked.directory or tempfile.mkdtemp(prefix="switchboard-faults-")
    os.makedirs(directory, exist_ok=True)
    try:
        if asked.backlog:
            figures, violations = run_backlog(directory, asked.backlog, asked.kills or 5)
        else:
            figures, violations = run(directory, asked.kills or 200, asked.seed, asked.rate, asked.points)
    finally:
        if not asked.directory:
            shutil.rmtree(directory, ignore_errors=True)
    print(json.dumps({"kill_loop": figures, "violations": {what: found for what, found in violations.items() if found}}))
    return 1 if any(violations.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

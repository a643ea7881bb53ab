#!/usr/bin/python3
"""Damaged files. First the store alone: bits flipped, pages zeroed and swapped, files cut, each on a copy that a process of
its own opens (tests/store/corruption_test.cpp). Then a real node on damaged copies of its data: never a wrong body, never
one that is missing without a word in the log, never an end without a reason.

usage: corrupt.py [--cases N] [--flips N] [--seed S]
Prints one line of JSON. Exit 1 if a promise was broken.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "release"
sys.path.insert(0, str(ROOT / "tests" / "system"))

import pika
import pika.exceptions
from conftest import DEADLINE_S, Node

QUEUES = ("one", "two", "three", "four")
MESSAGES = 300  # of each queue
NAMED = ("store_damaged", "store_log_damaged", "store_log_cut", "queue_damaged", "message_damaged")


def store_alone(cases, seed):
    """What became of each kind's cases, and what was wrong."""
    subprocess.run(["ninja", "-C", BUILD, "store_test"], check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run([BUILD / "store_test", "--gtest_filter=corruption.*"], text=True, stdout=subprocess.PIPE, check=False,
                          env={**os.environ, "SWITCHBOARD_CORRUPTION_CASES": str(cases),
                               "SWITCHBOARD_CORRUPTION_SEED": str(seed)})
    kinds = {kind: {what: int(count) for what, count in re.findall(r" ([^;]+?) (\d+);", outcomes)}
             for kind, outcomes in re.findall(r"^corruption: (.*), seed \d+:(.*)$", done.stdout, re.MULTILINE)}
    return kinds, [] if done.returncode == 0 and kinds else [done.stdout[-4000:]]


def body_of(queue, number, dice):
    text = f"{queue} {number} ".encode() + bytes(dice.randrange(97, 123) for _ in range(dice.randrange(20, 3000)))
    return text + b" %08x" % zlib.crc32(text)


def fill(node, dice):
    """Publishes with confirms, takes every third away again. What must be there, and what was taken: body -> queue."""
    connection = node.pika()
    channel = connection.channel()
    channel.confirm_delivery()
    for queue in QUEUES:
        channel.queue_declare(queue, durable=True)
    there, taken = {}, {}
    for number in range(MESSAGES):
        for queue in QUEUES:
            body = body_of(queue, number, dice)
            channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2))
            there[body] = queue
        if number % 3 == 2:
            for queue in QUEUES:
                method, _, body = channel.basic_get(queue)
                channel.basic_ack(method.delivery_tag)
                taken[body] = there.pop(body)
    connection.close()
    return there, taken


def drain(node):
    """All bodies, by queue; a queue that is gone has none."""
    found = collections.defaultdict(list)
    connection = node.pika()
    for queue in QUEUES:
        channel = connection.channel()
        try:
            while True:
                method, _, body = channel.basic_get(queue, auto_ack=True)
                if method is None:
                    break
                found[queue].append(body)
        except pika.exceptions.ChannelClosedByBroker:
            pass
    connection.close()
    return found


def flip(path, end, dice):
    bit = dice.randrange(end * 8)
    with open(path, "r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0] ^ 1 << bit % 8
        file.seek(bit // 8)
        file.write(bytes([byte]))
    return bit


def one_flip(directory, there, name, end, dice):
    """(outcome, what was wrong or None)."""
    bit = flip(f"{directory}/{name}", end, dice)
    node = Node(directory)
    try:
        node.start()
    except AssertionError:
        code = node.lines.process.wait(DEADLINE_S)  # it ended by itself
        said = [line for line in node.lines.seen if name in line]
        if code > 0 and said:
            return "refused by name", None
        return "ended", f"bit {bit} of {name}: exit code {code} and {node.lines.seen[-3:]}"
    try:
        found = drain(node)
        if node.lines.process.poll() is not None:
            return "died", f"bit {bit} of {name}: the node ended with {node.lines.process.returncode}"
    finally:
        node.stop()
    wrong = [(queue, body[:40]) for queue, bodies in found.items() for body in bodies if there.get(body) != queue]
    if wrong:
        return "wrong", f"bit {bit} of {name}: {wrong[:3]}"
    for queue, bodies in found.items():
        numbers = [int(body.split()[1]) for body in bodies]
        if numbers != sorted(set(numbers)):
            return "disordered", f"bit {bit} of {name}: queue {queue}"
    missing = len(there) - sum(map(len, found.values()))
    named = [line for line in node.lines.seen if any(word in line for word in NAMED)]
    if missing and not named:
        return "lost without a word", f"bit {bit} of {name}: {missing} messages"
    return ("loss named, the rest serves" if missing else "damage named, nothing lost" if named else "unharmed"), None


def undamaged(whole, copy):
    """What a node finds in a copy as it is (body -> queue)."""
    shutil.copytree(whole, copy)
    node = Node(str(copy)).start()
    found = {body: queue for queue, bodies in drain(node).items() for body in bodies}
    node.stop()
    shutil.rmtree(copy)
    assert not any(word in line for line in node.lines.seen for word in NAMED), "damage named where none is"
    return found


def nodes(flips, dice):
    outcomes, violations = collections.Counter(), []
    with tempfile.TemporaryDirectory(prefix="switchboard-corrupt-") as parent:
        whole = pathlib.Path(parent, "whole")
        node = Node(str(whole)).start()
        there, taken = fill(node, dice)
        node.kill()  # so that the log says something that the tables don't
        found = undamaged(whole, pathlib.Path(parent, "copy"))
        assert all(found.get(body) == queue for body, queue in there.items()), "lost without any damage"
        assert all(queue == {**there, **taken}.get(body) for body, queue in found.items()), "wrong without any damage"
        there = found  # the acknowledgements of the last moment may not have come to the disk
        with open(whole / "write_ahead.log", "rb") as file:
            log_end = len(file.read().rstrip(b"\0"))
        ends = {"data.mdb": (whole / "data.mdb").stat().st_size, "write_ahead.log": log_end}
        for number in range(flips):
            name = "write_ahead.log" if number % 4 == 3 else "data.mdb"
            copy = pathlib.Path(parent, "copy")
            shutil.copytree(whole, copy)
            outcome, violation = one_flip(str(copy), there, name, ends[name], dice)
            shutil.rmtree(copy)
            outcomes[f"{name}: {outcome}"] += 1
            violations += [violation] if violation else []
    return {"messages": len(there), **outcomes}, violations


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--cases", type=int, default=1000, help="bit flips of the store's data.mdb; other kinds in proportion")
    parse.add_argument("--flips", type=int, default=50, help="nodes started on a flipped bit")
    parse.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    asked = parse.parse_args()
    print(f"seed {asked.seed}", file=sys.stderr)
    kinds, violations = store_alone(asked.cases, asked.seed) if asked.cases else ({}, [])
    outcomes, more = nodes(asked.flips, random.Random(asked.seed)) if asked.flips else ({}, [])
    print(json.dumps({"corrupt": {"store": kinds, "node": outcomes}, "seed": asked.seed, "violations": violations + more}))
    return 1 if violations or more else 0


if __name__ == "__main__":
    sys.exit(main())

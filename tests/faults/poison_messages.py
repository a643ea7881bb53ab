"""Messages that no consumer can do, on a queue with x-retry-…, while the node is killed again and again: each is a dead
letter in the end, exactly once, after no more deliveries than are allowed."""

import argparse
import collections
import json
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time

import pika

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))
from conftest import Node  # noqa: E402

DELIVERIES_MAX = 21  # x-delivery-limit's default, and the last one


class Consumers(threading.Thread):
    """Fails what it gets: rejects most of it, gives some back, and dies of some."""

    def __init__(self, node, seed):
        super().__init__(daemon=True)
        self.node, self.dice = node, random.Random(seed)
        self.deliveries = collections.Counter()
        self.over = False

    def run(self):
        while not self.over:
            try:
                self.consume()
            except (pika.exceptions.AMQPError, OSError):
                time.sleep(0.02)  # the node is away

    def consume(self):
        connection = self.node.pika()
        channel = connection.channel()
        channel.basic_qos(prefetch_count=100)

        def on_message(ch, method, properties, body):
            self.deliveries[body] += 1
            fate = self.dice.random()
            if fate < 0.0005:
                raise pika.exceptions.AMQPError("dies of it")
            ch.basic_nack(method.delivery_tag, requeue=fate < 0.1)

        channel.basic_consume("work", on_message)
        while not self.over:
            connection.process_data_events(0.1)
        connection.close()


def run(directory, messages, kills, seed):
    """(figures, violations)."""
    dice = random.Random(seed)
    node = Node(pathlib.Path(directory) / "data").start()
    connection = node.pika()
    channel = connection.channel()
    channel.queue_declare("work", durable=True,
                          arguments={"x-retry-min": 50, "x-retry-max": 400, "x-retry-limit": 5})
    channel.confirm_delivery()
    for number in range(messages):
        channel.basic_publish("", "work", b"%d" % number, pika.BasicProperties(delivery_mode=2))
    connection.close()
    consumers = Consumers(node, dice.random())
    consumers.start()
    began = time.monotonic()
    for _ in range(kills):
        time.sleep(dice.uniform(0.05, 0.6))
        node.kill()
        node.start()
    violations = []
    end = time.monotonic() + 120 + messages / 100
    while True:
        listed = json.loads(node.cli("dead-letters", "list", "--limit", "1", "--json").stdout)["queues"]
        dead = sum(each["messages"] for each in listed)
        if dead >= messages or time.monotonic() > end:
            break
        time.sleep(0.1)
    consumers.over = True
    consumers.join(10)
    node.kill()
    node.start()  # what is there is on disk
    connection = node.pika()
    channel = connection.channel()
    letters = collections.Counter()
    while True:
        method, _, body = channel.basic_get("work.dead", auto_ack=True)
        if not method:
            break
        letters[body] += 1
    left = channel.queue_declare("work", passive=True).method.message_count
    connection.close()
    code = node.stop()
    lost = [number for number in range(messages) if not letters[b"%d" % number]]
    twice = {body.decode(): count for body, count in letters.items() if count > 1}
    most = max(consumers.deliveries.values())
    if lost or twice or left or code:
        violations.append({"lost": lost[:10], "twice": dict(list(twice.items())[:10]), "left": left, "code": code})
    if most > DELIVERIES_MAX:
        violations.append({"deliveries": most})
    return {"seed": seed, "messages": messages, "kills": kills, "letters": sum(letters.values()), "lost": len(lost),
            "twice": len(twice), "deliveries_max": most, "deliveries": sum(consumers.deliveries.values()),
            "seconds": round(time.monotonic() - began, 1)}, violations


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--messages", type=int, default=10_000)
    parse.add_argument("--kills", type=int, default=100)
    parse.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    asked = parse.parse_args()
    print(f"seed {asked.seed}", file=sys.stderr)
    directory = tempfile.mkdtemp(prefix="switchboard-faults-")
    try:
        figures, violations = run(directory, asked.messages, asked.kills, asked.seed)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(json.dumps({"poison_messages": figures, "violations": violations}))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())

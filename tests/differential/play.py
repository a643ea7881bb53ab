"""Plays one script against two servers in step and says where they first differ.

After every step that may move messages the two are waited for: every channel answers a flow, every queue says its
counts, and that again until both sides agree or the deadline is over. So nothing here depends on speed, and only a
lasting disagreement is one. What is compared: replies, errors by code and text, each consumer's deliveries in order
with everything in them, returns, confirms, server-sent cancels, what is unacknowledged, and the counts of each queue.
"""

import os
import time

from side import SYNCHRONOUS

AGREE_S = float(os.environ.get("DIFFERENTIAL_AGREE_S", "6"))
ANSWER_S = 20


class Difference(Exception):
    def __init__(self, step, what):
        super().__init__(what)
        self.step, self.what = step, what


class Player:
    def __init__(self, script, sides):
        self.script, self.sides = script, sides
        self.queues = {}  # name -> the connection that owns it, or None
        self.index = 0
        self.steps = self.skipped = 0

    def run(self):
        """Raises Difference at the first one."""
        try:
            for self.index, step in enumerate(self.script["steps"]):
                self.steps += 1
                self.play(step)
        finally:
            self.clean()

    def difference(self, kind, left, right):
        a, b = self.sides
        raise Difference(self.index, f"{kind}\n    {a.name}: {left}\n    {b.name}: {right}")

    # -- one step -------------------------------------------------------------------------------------------------------

    def play(self, step):
        do = step["do"]
        number = step.get("link", 1)
        if do == "wait":
            pass
        elif do == "hang up":
            for side in self.sides:
                side.hang_up(number, step["politely"])
            self.lost(number)
        elif do == "close channel":
            for side in self.sides:
                link = side.link(number)
                if step["channel"] in link.channels:
                    link.close_channels([step["channel"]])
        elif do == "settle":
            self.settle(step)
        else:
            for side in self.sides:
                self.send(side, step)
            for side in self.sides:
                self.receive(side, step)
            self.note(step)
        self.agree(step)

    def send(self, side, step):
        link = side.link(step.get("link", 1))
        number = step["channel"]
        at = link.channel(number)
        arguments = {name: side.real(value) for name, value in step.get("with", {}).items()}
        method = step["do"]
        if method == "basic.publish":
            for message in step["messages"]:
                arguments = {name: side.real(value) for name, value in message["with"].items()}
                properties = {name: side.real(value) for name, value in message["properties"].items()}
                link.connection.publish(number, properties, message["body"], **arguments)
                at.published += at.confirms
            return
        at.names = step.get("names")
        if method == "basic.get":
            at.get_no_ack = arguments.get("no_ack", False)
        elif method == "basic.consume" and arguments.get("no_ack"):
            at.no_ack.add(step.get("names") or arguments["consumer_tag"])
        elif method in ("basic.recover", "basic.recover-async") and arguments.get("requeue"):
            at.unacked = []
        link.connection.send(number, method, **arguments)

    def receive(self, side, step):
        if step["do"] not in SYNCHRONOUS or step.get("with", {}).get("no_wait"):
            return
        link = side.links[step.get("link", 1)]
        at = link.channels[step["channel"]]
        if not link.until(lambda: at.replies or not at.open, ANSWER_S):
            raise Difference(self.index, f"{side.name} does not answer {step['do']}")
        at.names = None

    def note(self, step):
        """What the reply of the first side means for later steps; the other's is compared with it at once."""
        link = self.sides[0].links[step.get("link", 1)]
        at = link.channels.get(step["channel"])
        done = at is not None and at.open and link.error is None
        arguments = step.get("with", {})
        method = step["do"]
        counted = ["x-queue-type", ["S", "stream"]] not in arguments.get("arguments", [])  # RabbitMQ counts those late
        if method == "queue.declare" and done and not arguments.get("passive") and counted:
            name = step.get("names") or arguments["queue"]
            self.queues.setdefault(name, step.get("link", 1) if arguments.get("exclusive") else None)
        elif method == "queue.delete" and done and not arguments.get("no_wait"):
            self.queues.pop(arguments["queue"], None)
        for side in self.sides:
            at = side.links[step.get("link", 1)].channels.get(step["channel"])
            if at is None or not at.open:
                continue
            if method == "confirm.select":
                at.confirms = True
            elif method == "tx.select":
                at.transactional = True
            elif method == "tx.commit":
                at.acked = []
            elif method == "tx.rollback":
                at.unacked = sorted(at.acked + at.unacked, key=lambda one: one[1])
                at.acked = []

    def settle(self, step):
        """Acknowledges a delivery both sides have out, or all up to it if that means the same to both."""
        channels = [side.link(step.get("link", 1)).channels.get(step["channel"]) for side in self.sides]
        if not all(channels) or not channels[0].unacked:
            self.skipped += 1
            return
        labels = [label for label, _ in channels[0].unacked]
        if step["multiple"] == "all":
            covered, tags = labels, [0, 0]
        else:
            label = labels[int(step["pick"] * len(labels))]
            covered, tags = [label], [dict(at.unacked)[label] for at in channels]
            up_to = [{one for one, tag in at.unacked if tag <= wanted} for at, wanted in zip(channels, tags)]
            multiple = step["multiple"] and step["how"] != "basic.reject" and up_to[0] == up_to[1]
            if multiple:
                covered = up_to[0]
        for side, at, tag in zip(self.sides, channels, tags):
            arguments = {"delivery_tag": tag, "requeue": step["requeue"],
                         "multiple": step["multiple"] == "all" or multiple}
            side.link(step.get("link", 1)).connection.send(step["channel"], step["how"], **arguments)
            if at.transactional:
                at.acked += [one for one in at.unacked if one[0] in covered]
            at.unacked = [one for one in at.unacked if one[0] not in covered]

    def lost(self, number):
        self.queues = {name: owner for name, owner in self.queues.items() if owner != number}

    # -- waiting and comparing --------------------------------------------------------------------------------------------

    def agree(self, step):
        if step.get("wait_ms"):
            time.sleep(step["wait_ms"] / 1000)
        if not step.get("moves") and not any(side.has_closed() for side in self.sides):
            self.compare()
            return
        end = time.monotonic() + AGREE_S
        self.ask({})
        done = 0
        while True:
            answers = self.ask(self.queues)
            if self.forget_missing(answers):
                continue
            done += 1
            alike = answers[0] == answers[1]
            if done >= self.script["rounds"] and alike and self.is_same() and all(
                    side.all_confirmed() for side in self.sides):
                break
            if time.monotonic() > end:
                if not alike:
                    self.difference("counts of queues [messages, consumers]", *answers)
                self.compare()
                self.difference("publishes still without confirm", *[
                    [(channel.published, channel.settled_up_to) for link in side.links.values()
                     for channel in link.channels.values()] for side in self.sides])
            if done > self.script["rounds"]:
                time.sleep(min(0.05, 0.001 * 2 ** (done - self.script["rounds"])))
        self.compare()

    def ask(self, queues):
        questions = [(owner or min(self.sides[0].links, default=1), name) for name, owner in queues.items()]
        for side in self.sides:
            side.fence(questions)
        answers = [side.fenced(ANSWER_S) for side in self.sides]
        for side, answer in zip(self.sides, answers):
            if answer is None:
                raise Difference(self.index, f"{side.name} does not answer")
        return answers

    def forget_missing(self, answers):
        """Queues that are gone on both sides. True if the others are to be asked again."""
        errors = [{name for name, answer in one.items() if isinstance(answer[0], int) and answer[0] == 404
                   and len(answer) == 4} for one in answers]
        gone = errors[0] & errors[1]
        for name in gone:
            del self.queues[name]
        return bool(gone)

    def is_same(self):
        return self.sides[0].news() == self.sides[1].news()

    def compare(self):
        if not self.is_same():
            left, right = (side.news() for side in self.sides)
            self.difference("heard", *narrowed(left, right))
        for number, link in self.sides[0].links.items():
            if link.error is not None:
                self.lost(number)
        for side in self.sides:
            side.forget_news()

    def clean(self):
        """Takes away what the script made, on both sides whatever they said. One connection stays for the next one."""
        for side in self.sides:
            for number in list(side.links):
                if number != 1 or side.links[number].error is not None:
                    side.hang_up(number, True)
            link = side.link(1)
            link.close_channels([number for number, channel in link.channels.items() if channel.open])
            link.channels.clear()
            at = link.channel(1)
            for queue in [*self.script["queues"], *self.queues]:
                if side.real(queue) and not side.real(queue).startswith("@"):
                    link.connection.send(1, "queue.delete", queue=side.real(queue), no_wait=True)
            for exchange in self.script["exchanges"]:
                link.connection.send(1, "exchange.delete", exchange=exchange, no_wait=True)
            link.connection.send(1, "channel.flow", active=True)
            clean = link.until(lambda: at.fences > 0 or not at.open, ANSWER_S) and at.open
            if not clean or not link.close_channels([1]):
                side.hang_up_all()
            side.forget()


def narrowed(left, right):
    """The parts of two values that differ, each by its path."""
    found = list(parts(left, right, ""))
    return [{path: shortened(pair[at]) for path, *pair in found} for at in (0, 1)]


def parts(left, right, path):
    if isinstance(left, dict) and isinstance(right, dict):
        keys = {**left, **right}
        pairs = [(key, left.get(key), right.get(key)) for key in keys]
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        pairs = [(at, *pair) for at, pair in enumerate(zip(left, right))]
    else:
        yield path, left, right
        return
    for key, a, b in pairs:
        if a != b:
            yield from parts(a, b, f"{path}/{key}")


def shortened(value):
    if isinstance(value, str) and len(value) > 200:
        return f"{value[:80]}…({len(value)})"
    if isinstance(value, list):
        return [shortened(each) for each in value]
    return value

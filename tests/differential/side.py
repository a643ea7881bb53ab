"""One of the two servers under comparison: its connections, what it has said, and what it calls things.

A script speaks of connections and channels by number, of deliveries by consumer and ordinal, and of names the server
makes (queues, consumer tags, reply addresses) by symbols; a side translates both ways, so what two sides record can be
compared as it is.
"""

import re

from wire import Connection

SYNCHRONOUS = {"queue.declare", "queue.bind", "queue.unbind", "queue.purge", "queue.delete", "exchange.declare",
               "exchange.delete", "exchange.bind", "exchange.unbind", "basic.qos", "basic.consume", "basic.cancel",
               "basic.get", "basic.recover", "confirm.select", "tx.select", "tx.commit", "tx.rollback"}
REPLY_ADDRESS = re.compile(r"amq\.rabbitmq\.reply-to\.[\w.=+/-]+")
CLOSE_S = 20
OBSERVER = 99  # the channel by which queues are looked at


class Channel:
    def __init__(self):
        self.open = True
        self.replies = []      # to synchronous methods, not yet looked at
        self.fences = 0        # flow-ok seen
        self.streams = {}      # consumer -> its deliveries, not yet looked at
        self.counts = {}       # consumer -> deliveries so far
        self.unacked = []      # (label, delivery tag) in order of tags
        self.acked = []        # as unacked: within a transaction, until its end
        self.no_ack = set()    # consumers
        self.returns = []
        self.cancels = []
        self.outcomes = {}     # publish number -> ack or nack
        self.published = 0     # since confirm.select
        self.confirms = self.transactional = False
        self.settled_up_to = 0
        self.error = None
        self.opened = False
        self.get_no_ack = False
        self.names = None      # the symbol for what the next reply names

    def news(self):
        """What was heard since forget_news(). Of a closed channel only why: what else came before is a race."""
        if self.error:
            return {"closed": self.error}
        return {"replies": self.replies, "streams": self.streams, "unacked": sorted(label for label, _ in self.unacked),
                "returns": self.returns, "cancels": sorted(self.cancels), "confirms": self.outcomes}

    def forget_news(self):
        self.replies, self.streams, self.returns, self.cancels, self.outcomes = [], {}, [], [], {}

    def all_confirmed(self):
        return not self.confirms or self.settled_up_to >= self.published

    def settled(self, number, multiple, how):
        for each in range(self.settled_up_to + 1 if multiple or number == 0 else number,
                          (number or self.published) + 1):
            if each > self.settled_up_to:
                self.outcomes.setdefault(each, how)
        while self.settled_up_to + 1 in self.outcomes:
            self.settled_up_to += 1  # what was forgotten lies below


class Link:
    """A connection with its channels."""

    def __init__(self, side):
        self.side = side
        self.channels = {}
        self.error = None
        self.connection = Connection(side.port, self.heard)

    def channel(self, number):
        """Opened if it isn't."""
        at = self.channels.get(number)
        if at is None or not at.open:
            at = self.channels[number] = Channel()
            self.connection.send(number, "channel.open")
            self.connection.until(lambda: at.opened)
        return at

    def close_channels(self, numbers):
        closing = {number: self.channels[number] for number in numbers}
        for number in closing:
            self.connection.send(number, "channel.close", reply_code=200, reply_text="bye")
        done = self.until(lambda: not any(at.open for at in closing.values()), CLOSE_S)
        for number in closing:
            self.channels.pop(number, None)
        return done

    def heard(self, number, method, arguments):
        side = self.side
        if method in ("connection.close", "socket closed"):
            if self.error is None or method == "connection.close":
                self.error = [method, *side.neutral([arguments.get(each) for each in (
                    "reply_code", "reply_text", "class_id", "method_id")])]
            return
        at = self.channels.get(number)
        if at is None or not at.opened and method != "channel.open-ok":
            return  # the last words of one that was closed
        if method == "basic.deliver":
            tag = side.symbol(arguments["consumer_tag"])
            at.streams.setdefault(tag, []).append(side.content(arguments))
            count = at.counts[tag] = at.counts.get(tag, 0) + 1
            if tag not in at.no_ack:
                at.unacked.append((f"{tag}#{count}", arguments["delivery_tag"]))
            side.deliveries += 1
        elif method == "basic.return":
            at.returns.append([arguments["reply_code"], arguments["reply_text"], *side.content(arguments)])
        elif method in ("basic.ack", "basic.nack"):
            at.settled(arguments["delivery_tag"], arguments["multiple"], method)
        elif method == "basic.cancel":
            at.cancels.append(side.symbol(arguments["consumer_tag"]))
        elif method == "channel.flow-ok":
            at.fences += 1
        elif method == "channel.open-ok":
            at.opened = True
        elif method == "channel.close":
            at.open = False
            at.error = side.neutral([arguments[each] for each in ("reply_code", "reply_text", "class_id", "method_id")])
        elif method == "basic.get-ok":
            at.replies.append(["basic.get-ok", arguments["message_count"], *side.content(arguments)])
            if not at.get_no_ack:
                count = at.counts["get"] = at.counts.get("get", 0) + 1
                at.unacked.append((f"get#{count}", arguments["delivery_tag"]))
            side.deliveries += 1
        elif method == "channel.close-ok":
            at.open = False
        else:
            if method == "queue.declare-ok" and at.names:
                side.name_symbol(at.names, arguments["queue"])
            elif method == "basic.consume-ok" and at.names:
                side.name_symbol(at.names, arguments["consumer_tag"])
            at.replies.append([method, *side.neutral(list(arguments.values()))])

    def until(self, condition, deadline_s):
        return self.connection.until(lambda: condition() or self.error is not None, deadline_s)


class Side:
    def __init__(self, name, port):
        self.name, self.port = name, port
        self.links = {}
        self.deliveries = 0
        self.forget()

    def forget(self):
        """Begins another script."""
        self.symbols, self.names = {}, {}
        self.reply_addresses = []

    # -- names ----------------------------------------------------------------------------------------------------------

    def name_symbol(self, symbol, name):
        self.symbols[symbol], self.names[name] = name, symbol

    def symbol(self, name):
        return self.names.get(name, name)

    def real(self, value):
        """What this server calls what the script means."""
        if isinstance(value, str) and value.startswith("@"):
            if value == "@reply":
                return self.reply_addresses[-1] if self.reply_addresses else "amq.rabbitmq.reply-to.none"
            return self.symbols.get(value, value)
        return value

    def neutral(self, value):
        if isinstance(value, str):
            if "amq." in value:
                for name, symbol in self.names.items():
                    value = value.replace(name, symbol)
                value = REPLY_ADDRESS.sub("@reply", value)
            return value
        if isinstance(value, list):
            return [self.neutral(each) for each in value]
        return value

    def content(self, arguments):
        properties = dict(arguments["properties"])
        address = properties.get("reply_to", "")
        if address.startswith("amq.rabbitmq.reply-to."):
            self.reply_addresses.append(address)
        if "headers" in properties:
            properties["headers"] = unordered(properties["headers"])
        return [arguments.get("redelivered"), self.neutral(arguments["exchange"]), self.neutral(arguments["routing_key"]),
                self.neutral(sorted(([name, value] for name, value in properties.items()), key=lambda one: one[0])),
                arguments["body"]]

    # -- connections ------------------------------------------------------------------------------------------------------

    def link(self, number):
        at = self.links.get(number)
        if at is None or at.error is not None:
            at = self.links[number] = Link(self)
        return at

    def hang_up(self, number, politely):
        at = self.links.pop(number, None)
        if at is None:
            return
        if politely:
            at.connection.close()
        else:
            at.connection.socket.close()

    def hang_up_all(self):
        for number in list(self.links):
            self.hang_up(number, True)

    def news(self):
        return {number: {"closed": link.error} if link.error else {
                         "channels": {at: channel.news() for at, channel in link.channels.items() if at != OBSERVER}}
                for number, link in self.links.items()}

    def forget_news(self):
        """Also what is closed."""
        for number, link in list(self.links.items()):
            if link.error is not None:
                link.connection.gone()
                del self.links[number]
                continue
            for at, channel in list(link.channels.items()):
                if channel.open:
                    channel.forget_news()
                else:
                    del link.channels[at]

    def has_closed(self):
        """A channel or connection since forget_news(): what it had out goes back to its queues."""
        return any(link.error is not None or not all(channel.open for channel in link.channels.values())
                   for link in self.links.values())

    def all_confirmed(self):
        return all(channel.all_confirmed() or not channel.open for link in self.links.values() if link.error is None
                   for channel in link.channels.values())

    # -- waiting ----------------------------------------------------------------------------------------------------------

    def fence(self, questions):
        """Each channel answers once what it was sent before; observers say how deep these (connection, queue) are.
        Sends only; `fenced` waits."""
        self.waiting = []
        for number, link in self.links.items():
            if link.error is not None:
                continue
            for at, channel in link.channels.items():
                if channel.open and at != OBSERVER:
                    self.waiting.append((link, channel, channel.fences + 1))
                    link.connection.send(at, "channel.flow", active=True)
        self.asked = {}
        for connection, queue in questions:
            self.asked.setdefault(connection, []).append(queue)
        for connection, queues in self.asked.items():
            link = self.link(connection)
            link.channel(OBSERVER).replies.clear()
            for queue in queues:
                link.connection.send(OBSERVER, "queue.declare", queue=self.real(queue), passive=True)

    def fenced(self, deadline_s):
        """{queue: [messages, consumers] or the error} of what was asked; None if somebody doesn't answer."""
        counts = {}
        for link, channel, fences in self.waiting:
            if not link.until(lambda: channel.fences >= fences or not channel.open, deadline_s):
                return None
        for connection, queues in self.asked.items():
            link = self.links[connection]
            at = link.channels[OBSERVER]
            if not link.until(lambda: len(at.replies) == len(queues) or not at.open, deadline_s):
                return None
            for queue, reply in zip(queues, at.replies):
                counts[queue] = reply[2:]
            if not at.open and len(at.replies) < len(queues):
                counts[queues[len(at.replies)]] = at.error  # the others another time
            at.replies = []
        return counts


def unordered(table):
    """As a table has no order: by name; and without the times of deaths."""
    fields = []
    for name, (letter, value) in table:
        if letter == "F":
            value = unordered(value)
        elif letter == "A":
            value = [[kind, unordered(each) if kind == "F" else each] for kind, each in value]
            if name == "x-death":
                value = [[kind, [field for field in each if field[0] != "time"] if kind == "F" else each]
                         for kind, each in value]
        fields.append([name, [letter, value]])
    return sorted(fields, key=repr)

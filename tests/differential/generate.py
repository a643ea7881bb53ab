"""A random topology and what is done with it, as plain data: the same seed and number always make the same script.

Each script has one theme that decides what is frequent; the rest stays possible. What RabbitMQ itself leaves open is
avoided here, each time with the reason: a difference must mean something.
"""

import random

THEMES = {
    # theme: how often each kind of step is taken
    "routing": {"publish": 12, "bind": 6, "unbind": 4, "get": 3, "topology": 4, "purge": 1},
    "acks": {"publish": 7, "consume": 3, "settle": 10, "get": 4, "cancel": 1, "recover": 2, "qos": 2, "close": 1},
    "dead letters": {"publish": 8, "consume": 2, "settle": 8, "get": 4, "recover": 1, "purge": 1, "cancel": 1},
    "time to live": {"publish": 6, "consume": 1, "settle": 3, "get": 2, "cancel": 1},
    "limits": {"publish": 10, "get": 3, "settle": 3, "consume": 2, "confirm": 2, "purge": 1, "cancel": 1},
    "priorities": {"publish": 8, "get": 4, "consume": 2, "settle": 4, "recover": 1},
    "consumers": {"publish": 7, "consume": 6, "settle": 7, "cancel": 3, "close": 2, "qos": 2, "hang up": 1},
    "transactions": {"publish": 7, "tx": 6, "settle": 6, "get": 3, "consume": 1, "recover": 1, "confirm": 1},
    "quorum": {"publish": 6, "consume": 2, "settle": 8, "get": 3, "cancel": 1, "recover": 1},
    "streams": {"publish": 8, "replay": 5, "settle": 7, "cancel": 1, "close": 1, "bind": 1, "stream error": 1},
    "errors": {"error": 8, "publish": 3, "topology": 5, "consume": 2, "settle": 2, "get": 2, "close": 1, "hang up": 1},
    "replies": {"replies": 6, "publish": 2, "get": 2, "settle": 1},
    "mixed": {"publish": 8, "consume": 3, "settle": 5, "get": 3, "bind": 2, "unbind": 1, "topology": 3, "purge": 1,
              "cancel": 1, "recover": 1, "qos": 1, "close": 1, "hang up": 1, "confirm": 1, "tx": 1, "error": 1,
              "replies": 1},
}
WEIGHTS = {"quorum": 3, "streams": 4, "time to live": 5, "transactions": 7, "replies": 5, "priorities": 7}
NO_WAIT = {"queue.declare", "queue.bind", "queue.purge", "queue.delete", "exchange.declare", "exchange.delete",
           "exchange.bind", "exchange.unbind", "basic.consume", "basic.cancel", "confirm.select"}
CHANGES = {"bind", "unbind", "topology", "cancel", "close", "hang up", "error"}  # may change routes
SHORT_TTL_MS = 3
NEVER_MS = 3_600_000
WORDS = ["a", "b", "c", "a.b", "a.b.c", "b.c", "a.a", "", "x"]
PATTERNS = ["#", "*", "a.*", "*.b", "a.#", "#.c", "*.*", "a.#.c", "a", "b", "a.b", "", "#.#", "*.#", "a.*.c"]
SINKS, LIMITED = 8, 9  # channels with one use only
TYPES = ["direct", "fanout", "topic", "headers"]


def generate(seed, number):
    return Maker(seed, number).script()


class Maker:
    def __init__(self, seed, number):
        self.dice = random.Random(f"{seed}/{number}")
        self.prefix = f"d{seed}.{number}."
        self.steps, self.bodies, self.symbols = [], 0, 0
        self.exchanges, self.queues, self.bindings, self.tags = [], {}, [], []
        self.every_queue, self.every_exchange = [], []
        self.serial = 0
        themes = list(THEMES)
        self.theme = self.dice.choices(themes, [WEIGHTS.get(theme, 10) for theme in themes])[0]
        self.links = 2 if self.theme in ("consumers", "errors", "mixed") and self.chance(0.6) else 1
        self.limited = self.letters_asked = self.letters_free = False
        self.one_queue = self.theme in ("acks", "consumers") and self.chance(0.4)
        # A channel that opened a transaction or confirms stays what it is; several give each its chance.
        self.channels = self.dice.randint(1, 3)
        self.takers, self.consumed = [], set()
        self.transacts = {}  # (link, channel) after tx.select -> what its transaction holds
        self.prefetches = self.theme != "transactions" or self.chance(0.5)

    # -- dice -----------------------------------------------------------------------------------------------------------

    def chance(self, probability):
        return self.dice.random() < probability

    def one(self, values):
        return self.dice.choice(list(values))

    def at(self):
        return {"link": self.dice.randint(1, self.links), "channel": self.dice.randint(1, self.channels)}

    def name(self, kind):
        self.serial += 1
        return f"{self.prefix}{kind}{self.serial}"

    def add(self, do, at=None, moves=False, **more):
        step = {"do": do, **(at or self.at()), **more}
        if do in NO_WAIT and "names" not in step and self.chance(0.05):
            step["with"] = {**step["with"], "no_wait": True}
            moves = True  # so that all know it is done
        if moves:
            step["moves"] = True
            if self.wait_ms:
                step["wait_ms"] = self.wait_ms
        self.steps.append(step)

    # -- the script -------------------------------------------------------------------------------------------------------

    def script(self):
        self.short_ttl = self.theme == "time to live"
        self.quorum = self.theme == "quorum"
        self.streams = self.theme == "streams"
        self.dead_letters = self.theme in ("dead letters", "time to live") or self.theme in (
            "limits", "mixed", "quorum", "priorities", "transactions") and self.chance(0.35)
        # Every queue and every hop may add one short life; a quorum queue and a stream have no fence but time.
        self.wait_ms = 40 if self.short_ttl else 10 if self.quorum or self.streams else 0
        for _ in range(self.dice.randint(1, 4)):
            self.declare_exchange()
        for _ in range(1 if self.one_queue else self.dice.randint(1, 4)):
            self.declare_queue()
        for _ in range(self.dice.randint(1, 6)):
            self.bind()
        if self.theme == "transactions":
            self.tx()
        if self.theme in ("limits", "quorum", "streams") or self.chance(0.15):
            self.confirm()
        kinds = THEMES[self.theme]
        for _ in range(self.dice.randint(0, min(3, kinds.get("consume", 0)))):
            self.consume()
        for _ in range(self.dice.randint(12, 30)):
            kind = self.dice.choices(list(kinds), kinds.values())[0]
            if kind in CHANGES:
                self.end_transactions()
            getattr(self, kind.replace(" ", "_"))()
        for queue in self.dice.sample(sorted(self.queues), min(2, len(self.queues))):
            self.delete_queue(queue)
        return {"theme": self.theme, "rounds": 1 + self.dead_letters + 2 * self.quorum, "steps": self.steps,
                "queues": self.every_queue, "exchanges": self.every_exchange}

    # -- topology -----------------------------------------------------------------------------------------------------------

    def topology(self):
        self.one([self.declare_exchange, self.declare_queue, self.bind, self.redeclare, self.delete_something,
                  self.passive, self.bind_exchanges, self.server_named])()

    def declare_exchange(self):
        name = self.name("x")
        arguments = []
        if self.exchanges and self.chance(0.3):
            arguments.append(["alternate-exchange", ["S", self.one(self.exchanges + [name])]])
        elif self.chance(0.03):
            arguments.append(["alternate-exchange", ["S", self.prefix + "none"]])
        how = {"exchange": name, "type": self.one(TYPES), "durable": self.chance(0.4),
               "auto_delete": self.chance(0.1), "internal": self.chance(0.08), "arguments": arguments}
        # A publish to one that is gone or internal ends the channel; what comes back then, before or after a short life is
        # over, would be a race; and RabbitMQ's streams deliver on the next channel of that number.
        if self.short_ttl or self.streams:
            how["auto_delete"] = how["internal"] = False
        self.add("exchange.declare", **{"with": how})
        self.exchanges.append(name)
        self.every_exchange.append(name)
        self.declared = getattr(self, "declared", {})
        self.declared[name] = how
        if self.chance(0.3) and len(self.exchanges) > 1:
            self.bind_exchanges()

    def bind_exchanges(self):
        if not self.exchanges:
            return
        ends = {"source": self.one(self.exchanges), "destination": self.one(self.exchanges)}
        if self.chance(0.05):
            ends["source"] = self.one(["amq.direct", "amq.topic", self.prefix + "none", ""])
        how = {**ends, "routing_key": self.binding_key(ends["source"]), "arguments": self.binding_arguments(ends["source"])}
        self.add("exchange.bind", **{"with": how})
        self.bindings.append(("exchange.unbind", how))

    def queue_arguments(self, name):
        arguments = []
        theme = self.theme

        def maybe(probability, argument, letter, value):
            if self.chance(probability) and all(each[0] != argument for each in arguments):
                arguments.append([argument, [letter, value]])
                return True
            return False

        if self.quorum:
            arguments.append(["x-queue-type", ["S", "quorum"]])
            maybe(0.5, "x-delivery-limit", "I", self.dice.randint(0, 3))
        elif self.chance(0.05):
            arguments.append(["x-queue-type", ["S", "classic"]])
        if self.short_ttl:
            maybe(0.5, "x-message-ttl", self.one("Ils"), self.one([0, 1, SHORT_TTL_MS]))
        else:
            maybe(0.05, "x-message-ttl", "I", NEVER_MS)
            maybe(0.03, "x-message-ttl", "I", 0)
        maybe(0.04, "x-expires", "I", NEVER_MS)
        limited = False
        # With short lives what dies of which cause would be a race.
        if not self.short_ttl:
            often = 0.7 if theme == "limits" else 0.08
            limited = maybe(often, "x-max-length", self.one("Ilsb"), self.dice.randint(0, 4))
            # What a quorum queue drops for one message becomes letters the wrong way round (docs/amqp.md).
            if not self.quorum or not self.dead_letters:
                limited |= maybe(often / 2, "x-max-length-bytes", "I", self.one([0, 10, 50, 200]))
            if not self.quorum:
                maybe(0.6 if limited else 0.03, "x-overflow", "S",
                      self.one(["drop-head", "reject-publish", "reject-publish-dlx"]))
            else:
                maybe(0.3 if limited else 0, "x-overflow", "S", "drop-head")
        if self.dead_letters and self.chance(0.75):
            self.dead_letter_arguments(name, arguments)
        # What is over its time at the head of a higher level goes at RabbitMQ's next chance, not at its time.
        if not self.quorum and not self.short_ttl:
            maybe(0.8 if theme == "priorities" else 0.05, "x-max-priority", self.one("Ibl"), self.one([1, 2, 5, 10]))
        maybe(0.3 if theme == "consumers" else 0.05, "x-single-active-consumer", "t", self.chance(0.8))
        # RabbitMQ forgets the original-expiration of what a lazy queue wrote to disk (docs/amqp.md).
        if not self.quorum and all(each[0] != "x-dead-letter-exchange" for each in arguments):
            maybe(0.05, "x-queue-mode", "S", self.one(["default", "lazy"]))
        maybe(0.03, "x-something", "S", "else")
        return arguments

    def dead_letter_arguments(self, name, arguments):
        """Letters of several queues in one have no order of their own, so only the first such queue may send them
        anywhere; the others have a queue of their own for them. Nor have such a letter and what is published just then,
        so messages come one by one then, and no transaction gathers them."""
        if not self.letters_asked and "tx" not in THEMES[self.theme] and self.chance(0.6):
            self.letters_asked = self.letters_free = True
            arguments.append(["x-dead-letter-exchange", ["S", self.one(self.exchanges + ["", self.prefix + "none"])]])
            if self.chance(0.5):
                arguments.append(["x-dead-letter-routing-key", ["S", self.one([name, *WORDS, *self.queues])]])
            return
        self.letters_asked = True
        sink = self.name("dead")
        self.every_queue.append(sink)
        self.add("queue.declare", {"link": 1, "channel": 1}, **{"with": {"queue": sink}})
        self.sinks = getattr(self, "sinks", []) + [sink]
        arguments += [["x-dead-letter-exchange", ["S", ""]], ["x-dead-letter-routing-key", ["S", sink]]]

    def declare_queue(self):
        if self.one_queue and self.queues:
            return
        name = self.name("q")
        if self.streams:
            how = {"queue": name, "durable": True, "arguments": self.stream_arguments()}
        else:
            how = {"queue": name, "durable": self.quorum or self.chance(0.4), "arguments": self.queue_arguments(name)}
        if not self.quorum and not self.streams:
            how["exclusive"] = self.chance(0.1)
            how["auto_delete"] = self.chance(0.08)
        self.add("queue.declare", **{"with": how})
        self.queues[name] = how
        self.every_queue.append(name)
        if self.exchanges and self.chance(0.7):
            self.bind(name)

    def server_named(self):
        if self.quorum or self.one_queue:
            return
        self.symbols += 1
        symbol = f"@queue{self.symbols}"
        self.add("queue.declare", names=symbol, **{"with": {"queue": "", "exclusive": True}})
        self.queues[symbol] = {"queue": symbol, "exclusive": True, "arguments": []}
        self.every_queue.append(symbol)

    def redeclare(self):
        """As it is, or with one thing changed."""
        if self.queues and self.chance(0.7):
            name = self.one(self.queues)
            how = {**self.queues[name], "arguments": [list(each) for each in self.queues[name]["arguments"]]}
            change = self.dice.randint(0, 5)
            if change == 1:
                what = self.one(["durable", "auto_delete", "exclusive"])
                how[what] = not how.get(what)
            elif change == 2:
                how["arguments"] = self.queue_arguments_again()
            elif change == 3 and how["arguments"]:
                how["arguments"].pop(self.dice.randrange(len(how["arguments"])))
            elif change == 4:
                bad = self.one(BAD_ARGUMENTS)  # in place of one of its name: of two, RabbitMQ takes the first and we the last
                how["arguments"] = [each for each in how["arguments"] if each[0] != bad[0]] + [bad]
            if change and any(each[0] == "x-queue-type" for each in how["arguments"]) != self.quorum and self.quorum:
                return
            self.add("queue.declare", **{"with": how})
        elif self.exchanges:
            name = self.one(self.exchanges)
            how = dict(self.declared.get(name, {"exchange": name, "type": "direct"}))
            change = self.dice.randint(0, 4)
            if change == 1:
                what = self.one(["durable", "auto_delete", "internal"])
                how[what] = not how.get(what)
            elif change == 2:
                how["type"] = self.one(TYPES)
            elif change == 3:
                how["arguments"] = [["alternate-exchange", self.one([["S", "other"], ["I", 1]])]]
            self.add("exchange.declare", **{"with": how})

    def queue_arguments_again(self):
        """For a declaration that only compares: nothing is made for it."""
        return self.dice.sample([["x-message-ttl", ["I", self.one([1000, NEVER_MS])]], ["x-max-length", ["I", 3]],
                                 ["x-max-priority", ["I", 5]], ["x-overflow", ["S", "drop-head"]],
                                 ["x-queue-type", ["S", "classic"]], ["x-dead-letter-exchange", ["S", "dlx"]],
                                 ["x-single-active-consumer", ["t", True]], ["x-queue-mode", ["S", "lazy"]],
                                 ["x-expires", ["l", NEVER_MS]]], self.dice.randint(0, 2))

    def passive(self):
        if self.queues and self.chance(0.6):
            self.add("queue.declare", **{"with": {"queue": self.one(self.queues), "passive": True}})
        elif self.exchanges:
            self.add("exchange.declare", **{"with": {"exchange": self.one(self.exchanges), "type": "direct", "passive": True}})

    def delete_something(self):
        if self.queues and self.chance(0.6):
            return self.delete_queue(self.one(self.queues))
        if self.exchanges:
            name = self.one(self.exchanges)
            self.add("exchange.delete", **{"with": {"exchange": name, "if_unused": self.chance(0.4)}})

    def delete_queue(self, name):
        at = self.at()
        how = {"queue": name, "if_unused": self.chance(0.2), "if_empty": self.chance(0.2)}
        if self.quorum and (how["if_unused"] or how["if_empty"]):
            self.close_others(at)  # the connection ends with 540
        self.add("queue.delete", at, moves=True, **{"with": how})

    def purge(self):
        if self.queues:
            self.add("queue.purge", moves=True, **{"with": {"queue": self.one(self.queues)}})

    # -- bindings -------------------------------------------------------------------------------------------------------------

    def binding_key(self, exchange):
        if exchange.startswith("amq."):
            return self.prefix + self.one(["a", "b"])
        return self.one(PATTERNS if self.chance(0.6) else WORDS)

    def binding_arguments(self, exchange):
        if self.chance(0.6) and self.declared.get(exchange, {}).get("type") != "headers":
            return []
        arguments = [self.header() for _ in range(self.dice.randint(0, 3))]
        if self.chance(0.8):
            arguments.insert(0, ["x-match", ["S", self.one(["all", "any", "all-with-x", "any-with-x"])]])
        elif self.chance(0.1):
            arguments.append(["x-match", self.one([["S", "nope"], ["I", 1], ["t", True]])])
        return arguments

    def bind(self, queue=None):
        if not self.queues or not self.exchanges:
            return
        exchange = self.one(self.exchanges)
        if self.chance(0.1):
            exchange = self.one(["amq.direct", "amq.topic"])
        how = {"queue": queue or self.one(self.queues), "exchange": exchange, "routing_key": self.binding_key(exchange),
               "arguments": self.binding_arguments(exchange)}
        self.add("queue.bind", **{"with": how})
        self.bindings.append(("queue.unbind", how))

    def unbind(self):
        if not self.bindings:
            return
        method, how = self.one(self.bindings)
        if self.chance(0.1):
            how = {**how, "routing_key": "never bound"}
        self.add(method, **{"with": how})

    # -- messages ---------------------------------------------------------------------------------------------------------------

    def header(self):
        name = self.one(["h1", "h2", "x-h", "Z", "h1"])
        return [name, self.value()]

    def value(self, depth=0):
        # RabbitMQ's streams lose tables and arrays, and end the connection at a decimal (docs/amqp.md).
        letter = self.one("bBsuIilfdTtVSSSxIIlt" + ("" if self.streams else "D") + ("FA" if depth < 2 and not self.streams else ""))
        if letter in "bB":
            return [letter, self.dice.randint(0, 3)]
        if letter in "suIilLT":
            return [letter, self.dice.randint(0, 3)]
        if letter in "fd":
            return [letter, self.dice.randint(0, 3) + self.one([0, 0.5])]
        if letter == "D":
            return [letter, [1, 15]]
        if letter == "t":
            return [letter, self.chance(0.5)]
        if letter in "Sx":
            return [letter, self.one(["1", "2", "", "é".encode().decode("latin-1")])]
        if letter == "F":
            return [letter, [["n%d" % at, self.value(depth + 1)] for at in range(self.dice.randint(1, 2))]]  # empty, it equals an empty array
        if letter == "A":
            return [letter, [self.value(depth + 1) for _ in range(self.dice.randint(1, 2))]]
        return [letter, None]

    def destination(self):
        """(exchange, key)"""
        if not self.exchanges or self.chance(0.65 if self.queues else 0.1):
            return "", self.one([*self.queues, *self.queues, self.prefix + "none"])
        if self.chance(0.08):
            return self.one(["amq.direct", "amq.topic"]), self.prefix + self.one(["a", "b"])
        return self.one(self.exchanges), self.one(WORDS)

    def message(self):
        exchange, key = self.destination()
        properties = {}

        def maybe(probability, name, value):
            if self.chance(probability):
                properties[name] = value

        maybe(0.4, "delivery_mode", self.one([1, 2, 2]))
        maybe(0.9 if self.theme == "priorities" else 0.1, "priority", self.one([0, 1, 2, 3, 5, 9, 10, 255]))
        if self.short_ttl:
            maybe(0.5, "expiration", self.one(["0", "1", str(SHORT_TTL_MS), str(NEVER_MS)]))
        else:
            maybe(0.05, "expiration", str(NEVER_MS))
        maybe(0.1, "content_type", "text/plain")
        maybe(0.05, "content_encoding", "utf-8")
        maybe(0.1, "correlation_id", "c1")
        maybe(0.1, "message_id", "m1")
        maybe(0.05, "timestamp", 1_700_000_000)
        maybe(0.05, "type", "t")
        maybe(0.05, "user_id", "guest")
        maybe(0.05, "app_id", "app")
        maybe(0 if self.streams else 0.02, "cluster_id", "cluster")
        maybe(0.03, "reply_to", "somewhere")
        headers = [self.header() for _ in range(self.dice.choice([0, 0, 0, 1, 2, 3]))]
        for name in ("BCC",) if self.streams else ("CC", "BCC"):
            if self.chance(0.05):
                headers.append([name, ["A", [["S", self.one([*WORDS, *self.queues])]
                                             for _ in range(self.dice.randint(0, 2))]]])
        if headers or self.chance(0.05):
            properties["headers"] = headers
        self.bodies += 1
        body = f"{self.bodies}"
        size = self.dice.choices([0, 3, 20, 200, 150_000], [1, 6, 6, 2, 0.15])[0]
        body = "" if size == 0 else body + "-" * (size - len(body))
        return {"with": {"exchange": exchange, "routing_key": key, "mandatory": self.chance(0.25)},
                "properties": properties, "body": body}

    def publish(self):
        count = 1 if self.letters_free else self.dice.choice([1, 2, 3, 5, 8])
        at = self.at()
        self.transact(at, "publish")
        self.add("basic.publish", at, moves=True, messages=[self.message() for _ in range(count)])

    def get(self):
        everywhere = [*self.queues, *getattr(self, "sinks", [])]
        if everywhere:
            at = self.at()
            self.takers.append(at)
            self.add("basic.get", at, moves=True, **{"with": {"queue": self.one(everywhere), "no_ack": self.chance(0.3)}})

    # -- consumers ----------------------------------------------------------------------------------------------------------------

    def qos(self):
        if self.one_queue and self.queues and not self.limited and self.chance(0.5):
            return self.consume_limited()
        self.add("basic.qos", moves=True, **{"with": {"prefetch_count": self.dice.randint(0, 3)}})

    def consume_limited(self):
        """One consumer on a channel of its own with a prefetch for the whole channel, that acknowledges all it gets: the rest
        is a difference of ours (docs/amqp.md)."""
        self.limited = True
        at = {"link": 1, "channel": LIMITED}
        self.add("basic.qos", at, **{"with": {"prefetch_count": self.dice.randint(1, 3), "global": True}})
        self.add("basic.consume", at, moves=True, **{"with": {"queue": self.one(self.queues), "consumer_tag": "limited"}})
        self.limited_at = at

    def consume(self):
        everywhere = [*self.queues, *getattr(self, "sinks", [])]
        if not everywhere:
            return
        queue = self.one(everywhere)
        # What a dying channel had out may become a letter in a queue that the same channel still consumes, or not.
        at = self.at() if queue in self.queues else {"link": 1, "channel": SINKS}
        if self.argument(queue, "x-delivery-limit"):
            # A message over its limit makes RabbitMQ's prefetch one larger (docs/amqp.md).
            self.add("basic.qos", at, **{"with": {"prefetch_count": 0}})
        elif self.prefetches and self.chance(0.5):
            self.add("basic.qos", at, **{"with": {"prefetch_count": self.dice.randint(1, 3)}})
        self.symbols += 1
        arguments = []
        if self.chance(0.3 if self.theme == "consumers" else 0.05):
            arguments.append(["x-priority", [self.one("bsIl"), self.dice.randint(-2, 3)]])
        # In a quorum queue what a no-ack consumer got counts against its prefetch for a moment.
        how = {"queue": queue, "no_ack": not self.quorum and self.chance(0.25), "exclusive": self.chance(0.05),
               "arguments": arguments}
        # Of one channel's consumers of a queue RabbitMQ takes acknowledgements in the order of their tags; those it makes
        # are random, but come before ours.
        if self.chance(0.1) and queue not in self.consumed:
            symbol = f"@tag{self.symbols}"
            self.add("basic.consume", at, moves=True, names=symbol, **{"with": {**how, "consumer_tag": ""}})
        else:
            symbol = f"t{self.symbols}"
            self.add("basic.consume", at, moves=True, **{"with": {**how, "consumer_tag": symbol}})
        self.consumed.add(queue)
        self.tags.append((at, symbol, queue))
        self.takers.append(at)

    def argument(self, queue, name):
        return any(each[0] == name for each in self.queues.get(queue, {}).get("arguments", []))

    def cancel(self):
        if not self.tags:
            return
        at, tag, queue = self.tags.pop(self.dice.randrange(len(self.tags)))
        if self.argument(queue, "x-single-active-consumer") and not self.quorum:
            # RabbitMQ's next active one gets nothing of what waits (docs/amqp.md).
            self.add("queue.purge", moves=True, **{"with": {"queue": queue}})
        self.add("basic.cancel", at, moves=True, **{"with": {"consumer_tag": tag}})

    def settle(self):
        if self.streams:
            return self.add("settle", self.one(self.takers or [self.at()]), moves=True, how="basic.ack",
                            pick=self.dice.random(), multiple=self.one([False, True, "all"]), requeue=False)
        if self.limited and self.chance(0.3):
            return self.add("settle", self.limited_at, moves=True, how="basic.ack", pick=self.dice.random(), multiple=self.chance(0.5),
                            requeue=False)
        how = self.one(["basic.ack", "basic.ack", "basic.nack", "basic.reject"])
        multiple = self.one([False, False, True, "all"]) if how != "basic.reject" else False
        at = self.one(self.takers) if self.takers and self.chance(0.95) else self.at()
        self.transact(at, "ack" if how == "basic.ack" else "reject")
        self.add("settle", at, moves=True, how=how, pick=self.dice.random(), multiple=multiple, requeue=self.chance(0.5))

    def recover(self):
        self.add(self.one(["basic.recover", "basic.recover", "basic.recover-async"]), moves=True,
                 **{"with": {"requeue": True}})

    def close(self):
        self.add("close channel", moves=True)

    def hang_up(self):
        at = {"link": self.dice.randint(1, self.links), "channel": 1}
        self.close_others(at)
        self.add("hang up", {**at, "channel": 0}, moves=True, politely=True)

    def close_others(self, at):
        """RabbitMQ ends the channels of a connection all at once, and what one gives back another that is about to end may
        still take; so one by one."""
        for channel in [*range(1, self.channels + 1), *([SINKS, LIMITED] if at["link"] == 1 else [])]:
            if channel != at["channel"]:
                self.add("close channel", {"link": at["link"], "channel": channel}, moves=True)

    # -- streams --------------------------------------------------------------------------------------------------------------------

    def stream_arguments(self):
        arguments = [["x-queue-type", ["S", "stream"]]]
        for name, letter, value in (("x-max-age", "S", "1D"), ("x-max-length-bytes", "l", 10**9),
                                    ("x-stream-max-segment-size-bytes", "l", 10**8), ("x-initial-cluster-size", "I", 1)):
            if self.chance(0.1):
                arguments.append([name, [letter, value]])
        return arguments

    def replay(self):
        """`last` and times are found differently; a small prefetch is overdrawn (docs/amqp.md)."""
        if not self.queues:
            return
        at = self.at()
        queue = self.one(self.queues)
        offset = self.one([["S", "first"], ["S", "next"], ["I", 0], ["l", 1], ["l", 3], ["I", 7], ["l", 100], None])
        if offset in (["S", "next"], None):  # what is next is certain once the last one is confirmed
            marker = {"with": {"exchange": "", "routing_key": queue}, "properties": {}, "body": "marker"}
            self.add("confirm.select", {"link": 1, "channel": SINKS}, **{"with": {}})
            self.add("basic.publish", {"link": 1, "channel": SINKS}, moves=True, messages=[marker])
        self.add("basic.qos", at, **{"with": {"prefetch_count": 1000}})
        self.symbols += 1
        tag = f"t{self.symbols}"
        arguments = [["x-stream-offset", offset]] if offset else []
        self.add("basic.consume", at, moves=True, **{"with": {"queue": queue, "consumer_tag": tag, "arguments": arguments}})
        self.tags.append((at, tag, queue))
        self.takers.append(at)

    def stream_error(self):
        if not self.queues:
            return
        if self.chance(0.2):
            return self.add("settle", self.one(self.takers or [self.at()]), moves=True, how=self.one(["basic.nack", "basic.reject"]),
                            pick=self.dice.random(), multiple=False, requeue=self.chance(0.5))
        queue = self.one(self.queues)
        do, how = self.one([
            ("basic.get", {"queue": queue}), ("queue.purge", {"queue": queue}),
            ("basic.consume", {"queue": queue, "consumer_tag": "e", "no_ack": True}),
            ("basic.consume", {"queue": queue, "consumer_tag": "e"}),
            ("queue.declare", {"queue": self.prefix + "bad", "arguments": [["x-queue-type", ["S", "stream"]]]}),
            ("queue.declare", {"queue": self.prefix + "bad", "durable": True, "exclusive": True,
                               "arguments": [["x-queue-type", ["S", "stream"]]]}),
            ("queue.declare", {"queue": self.prefix + "bad", "durable": True,
                               "arguments": [["x-queue-type", ["S", "stream"]], self.one(
                                   [bad for bad in BAD_ARGUMENTS if bad[0] != "x-queue-type"])]}),
        ])
        if how.get("queue", "").endswith("bad"):
            self.every_queue.append(how["queue"])
        self.add(do, moves=True, **{"with": how})

    # -- modes ----------------------------------------------------------------------------------------------------------------------

    def confirm(self):
        self.add("confirm.select", **{"with": {}})

    def tx(self):
        at = self.at()
        do = self.dice.choices(["tx.select", "tx.commit", "tx.rollback"], [3, 3, 2])[0]
        self.add(do, at, moves=True)
        if do == "tx.select" or tuple(at.values()) in self.transacts:
            self.transacts[tuple(at.values())] = None

    def end_transactions(self):
        """What they hold is routed at their end here, in RabbitMQ when it is published (docs/amqp.md): nothing that changes
        routes comes between."""
        for (link, channel), held in list(self.transacts.items()):
            if held:
                self.add("tx.commit", {"link": link, "channel": channel}, moves=True)
                self.transacts[link, channel] = None

    def transact(self, at, what):
        """Where a prefetch counts, the acknowledgements of a commit may overtake its publishes and rejections in RabbitMQ's
        queue, so no transaction holds both."""
        key = tuple(at.values())
        if not self.prefetches or key not in self.transacts:
            return
        if self.transacts[key] not in (None, what):
            self.add(self.one(["tx.commit", "tx.commit", "tx.rollback"]), at, moves=True)
        self.transacts[key] = what

    # -- direct reply-to --------------------------------------------------------------------------------------------------------------

    def replies(self):
        at = {"link": 1, "channel": 1}
        do = self.dice.randint(0, 6)
        if do == 0 or not getattr(self, "asks", False):
            self.asks = True
            self.add("basic.consume", at, moves=True, **{"with": {
                "queue": "amq.rabbitmq.reply-to", "consumer_tag": "answers", "no_ack": self.chance(0.9)}})
        elif do == 1:
            self.add("basic.cancel", at, moves=True, **{"with": {"consumer_tag": "answers"}})
        elif do == 2:
            # The channel that has the address would ask itself (docs/amqp.md).
            self.add("queue.declare", {"link": 1, "channel": 2}, **{"with": {
                "queue": self.one(["@reply", "amq.rabbitmq.reply-to"]), "passive": True}})
        elif do in (3, 4) and self.queues:
            message = self.message()
            message["with"] = {"exchange": "", "routing_key": self.one(self.queues)}
            message["properties"]["reply_to"] = "amq.rabbitmq.reply-to"
            self.add("basic.publish", at, moves=True, messages=[message])
        else:
            message = self.message()
            message["with"] = {"exchange": "", "routing_key": "@reply", "mandatory": self.chance(0.5)}
            message["properties"].pop("reply_to", None)
            self.add("basic.publish", moves=True, messages=[message])

    # -- what nobody may do -------------------------------------------------------------------------------------------------------------

    def error(self):
        queue = self.one([*self.queues, self.prefix + "none"])
        exchange = self.one([*self.exchanges, self.prefix + "none"])
        none = self.prefix + "none"
        choices = [
            ("queue.declare", {"queue": "amq.mine"}),
            ("queue.declare", {"queue": none, "passive": True}),
            ("queue.declare", {"queue": "", "passive": True}),
            ("queue.declare", {"queue": self.prefix + "bad", "arguments": [self.one(BAD_ARGUMENTS)]}),
            ("queue.declare", {"queue": self.prefix + "bad",
                               "arguments": list({each[0]: each for each in self.dice.sample(BAD_ARGUMENTS, 3)}.values())}),
            ("queue.declare", {"queue": self.prefix + "bad", "durable": self.chance(0.5), "exclusive": self.chance(0.3),
                               "auto_delete": self.chance(0.3),
                               "arguments": [["x-queue-type", ["S", "quorum"]], self.one(QUORUM_ARGUMENTS)]}),
            ("queue.bind", {"queue": queue, "exchange": exchange, "routing_key": "a"}),
            ("queue.bind", {"queue": none, "exchange": exchange}),
            ("queue.bind", {"queue": queue, "exchange": ""}),
            ("queue.bind", {"queue": queue, "exchange": exchange,
                            "arguments": [["x-match", self.one([["S", "nope"], ["I", 1], ["t", True], ["A", []]])]]}),
            ("queue.unbind", {"queue": none, "exchange": exchange}),
            ("queue.unbind", {"queue": queue, "exchange": none}),
            ("queue.unbind", {"queue": queue, "exchange": ""}),
            ("queue.purge", {"queue": none}),
            ("queue.purge", {"queue": ""}),
            ("queue.delete", {"queue": none}),
            ("queue.delete", {"queue": ""}),
            ("queue.delete", {"queue": queue, "if_unused": True, "if_empty": True}),
            ("exchange.declare", {"exchange": "amq.mine", "type": "direct"}),
            ("exchange.declare", {"exchange": "", "type": "direct"}),
            ("exchange.declare", {"exchange": none, "type": "direct", "passive": True}),
            ("exchange.declare", {"exchange": none, "type": self.one(["nope", "", "x y"])}),
            ("exchange.declare", {"exchange": "amq.topic", "type": self.one(TYPES), "durable": self.chance(0.8)}),
            ("exchange.declare", {"exchange": self.prefix + "bad", "type": "direct",
                                  "arguments": [["alternate-exchange", self.one([["I", 1], ["t", True]])]]}),
            ("exchange.delete", {"exchange": none}),
            ("exchange.delete", {"exchange": self.one(["amq.direct", "", "amq.nope"])}),
            ("exchange.delete", {"exchange": exchange, "if_unused": True}),
            ("exchange.bind", {"source": none, "destination": exchange}),
            ("exchange.bind", {"source": exchange, "destination": none}),
            ("exchange.bind", {"source": "", "destination": exchange}),
            ("exchange.bind", {"source": exchange, "destination": ""}),
            ("exchange.unbind", {"source": none, "destination": exchange}),
            ("exchange.unbind", {"source": exchange, "destination": none}),
            ("exchange.unbind", {"source": exchange, "destination": ""}),
            ("basic.get", {"queue": none}),
            ("basic.get", {"queue": ""}),
            ("basic.consume", {"queue": none, "consumer_tag": "e"}),
            ("basic.consume", {"queue": "", "consumer_tag": "e"}),
            ("basic.consume", {"queue": queue, "consumer_tag": "e", "exclusive": True}),
            ("basic.consume", {"queue": queue, "consumer_tag": "e", "no_local": True,
                               "arguments": [["x-priority", self.one([["S", "1"], ["t", True], ["d", 1.5], ["V", None]])]]}),
            ("basic.cancel", {"consumer_tag": "nobody"}),
            ("basic.qos", {"prefetch_size": 1}),
            ("basic.recover", {"requeue": False}),
            ("tx.commit", {}), ("tx.rollback", {}), ("tx.select", {}), ("confirm.select", {}),
            ("basic.ack", {"delivery_tag": 9999}),
            ("basic.ack", {"delivery_tag": 9999, "multiple": True}),
            ("basic.ack", {"delivery_tag": 0}),
            ("basic.ack", {"delivery_tag": 0, "multiple": True}),
            ("basic.nack", {"delivery_tag": 9999, "requeue": True}),
            ("basic.nack", {"delivery_tag": 0}),
            ("basic.reject", {"delivery_tag": 9999}),
            ("basic.reject", {"delivery_tag": 0, "requeue": True}),
            ("channel.open", {}), ("channel.flow", {"active": False}),
            ("publish", {"exchange": none, "routing_key": "a", "mandatory": True}),
            ("publish", {"exchange": exchange, "routing_key": "a", "immediate": self.chance(0.3)}),
            ("properties", {"user_id": "nobody"}),
            ("properties", {"expiration": self.one(["abc", "-1", "", "1.5", " 1", "1 ", "9999999999999", "+5", "0x1",
                                                    "315360000000", "315360000001"])}),
            ("properties", {"headers": [[self.one(["CC", "BCC"]), self.one([["S", "k"], ["I", 1], ["A", [["I", 1]]],
                                                                         ["A", [["S", "a"], ["t", True]]]])]]}),
            ("properties", {"delivery_mode": self.one([0, 3, 255])}),
            ("properties", {"reply_to": "amq.rabbitmq.reply-to"}),
        ]
        do, how = self.one(choices)
        at = self.at()
        if do in ("channel.open", "channel.flow", "basic.qos", "basic.recover") or how.get("immediate") or how.get(
                "type") in ("nope", "", "x y"):
            self.close_others(at)  # the connection ends
        if do == "publish":
            message = {"with": how, "properties": {}, "body": "bad"}
            self.add("basic.publish", at, moves=True, messages=[message])
        elif do == "properties":
            message = {"with": {"exchange": "", "routing_key": queue, "mandatory": self.chance(0.3)}, "properties": how,
                       "body": "bad"}
            self.add("basic.publish", at, moves=True, messages=[message])
        else:
            if do == "queue.declare" and how["queue"].endswith("bad") and how["queue"] not in self.every_queue:
                self.every_queue.append(how["queue"])
            if do == "exchange.declare" and how["exchange"].endswith("bad") and how["exchange"] not in self.every_exchange:
                self.every_exchange.append(how["exchange"])
            self.add(do, at, moves=True, **{"with": how})


BAD_ARGUMENTS = [
    ["x-message-ttl", ["I", -1]], ["x-message-ttl", ["S", "10"]], ["x-message-ttl", ["l", 400_000_000_000]],
    ["x-message-ttl", ["d", 1.5]], ["x-message-ttl", ["t", True]], ["x-message-ttl", ["V", None]],
    ["x-expires", ["I", 0]], ["x-expires", ["I", -5]], ["x-expires", ["S", "1"]], ["x-expires", ["l", 400_000_000_000]],
    ["x-max-length", ["I", -1]], ["x-max-length", ["S", "1"]], ["x-max-length-bytes", ["l", -9]],
    ["x-max-length-bytes", ["A", [["I", 1], ["S", "a"]]]], ["x-max-length", ["F", [["a", ["I", 1]]]]],
    ["x-overflow", ["S", "nope"]], ["x-overflow", ["I", 1]], ["x-overflow", ["t", False]],
    ["x-max-priority", ["I", 256]], ["x-max-priority", ["I", -1]], ["x-max-priority", ["S", "5"]],
    ["x-max-priority", ["I", 0]],
    ["x-dead-letter-exchange", ["I", 1]], ["x-dead-letter-exchange", ["t", True]],
    ["x-dead-letter-routing-key", ["S", "k"]], ["x-dead-letter-routing-key", ["I", 1]],
    ["x-single-active-consumer", ["S", "yes"]], ["x-single-active-consumer", ["I", 1]],
    ["x-queue-mode", ["S", "nope"]], ["x-queue-mode", ["I", 1]],
    ["x-queue-version", ["I", 3]], ["x-queue-version", ["S", "1"]], ["x-queue-version", ["I", 0]],
    ["x-queue-type", ["S", "nope"]], ["x-queue-type", ["I", 1]],
    ["x-delivery-limit", ["I", 1]], ["x-max-in-memory-length", ["I", 1]], ["x-quorum-initial-group-size", ["I", 1]],
    ["x-queue-leader-locator", ["S", "client-local"]], ["x-queue-master-locator", ["S", "min-masters"]],
    ["x-max-age", ["S", "1D"]], ["x-dead-letter-strategy", ["S", "at-most-once"]],
]
QUORUM_ARGUMENTS = [
    ["x-max-priority", ["I", 1]], ["x-queue-mode", ["S", "lazy"]], ["x-delivery-limit", ["I", -1]],
    ["x-delivery-limit", ["S", "1"]], ["x-overflow", ["S", "reject-publish-dlx"]], ["x-overflow", ["S", "nope"]],
    ["x-max-in-memory-length", ["I", -1]], ["x-max-in-memory-bytes", ["S", "a"]], ["x-quorum-initial-group-size", ["I", 0]],
    ["x-quorum-initial-group-size", ["S", "1"]], ["x-queue-leader-locator", ["S", "nope"]],
    ["x-queue-leader-locator", ["I", 1]], ["x-dead-letter-strategy", ["S", "nope"]], ["x-dead-letter-strategy", ["I", 1]],
    ["x-max-age", ["S", "1D"]], ["x-queue-version", ["I", 1]], ["x-queue-master-locator", ["S", "min-masters"]],
]

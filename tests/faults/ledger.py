"""What a publisher and a consumer saw, as numbers, and what must be true of it. Pure: no socket, no clock.

An event is one 64-bit word: kind, queue, sequence number. The publisher writes its words in its order, the consumer in
its own; nothing is assumed about how the two interleave.
"""

import array
import collections

SENT, RESENT, CONFIRMED = 1, 2, 3  # of the publisher; RESENT: it had no confirm when the connection broke
DELIVERED, REDELIVERED = 4, 5  # of the consumer: without and with the flag `redelivered`
SETTLED = 6  # an ack or a reject without requeue is about to be written to the socket
CORRUPT = 7  # a body that fails its check

SEQUENCE = (1 << 48) - 1


def word(kind, queue, sequence=0):
    return kind << 56 | queue << 48 | sequence


def read_words(path):
    words = array.array("Q")
    with open(path, "rb") as file:
        words.frombytes(file.read())
    return words


class Queue:
    """`source`: the queue whose rejected messages come here; `takes`: which of them, by sequence number."""

    def __init__(self, name, source=None, takes=None):
        self.name, self.source, self.takes = name, source, takes


def judge(queues, published, consumed, examples=5):
    """(figures, violations). Violations is a dict of lists, empty lists where all is well:

    lost        confirmed, but no delivery of it was ever settled; or it should have become a dead letter and no
                delivery of that was
    reordered   the first delivery of a message came after the first delivery of a later one of its queue
    corrupt     a body that fails its check
    invented    delivered, but never sent
    duplicate   delivered without `redelivered` more often than it was sent
    """
    sent = [0] * len(queues)
    resent = [collections.Counter() for _ in queues]
    confirmed = [bytearray() for _ in queues]
    figures = collections.Counter()
    for each in published:
        kind, queue, sequence = each >> 56, each >> 48 & 0xFF, each & SEQUENCE
        if kind == SENT:
            sent[queue] = max(sent[queue], sequence)
        elif kind == RESENT:
            resent[queue][sequence] += 1
            figures["resent"] += 1
        elif kind == CONFIRMED:
            mark = confirmed[queue]
            if len(mark) <= sequence:
                mark.extend(bytes(sequence + 1024))
            figures["confirmed"] += not mark[sequence]
            mark[sequence] = 1

    origin = [index if queue.source is None else queue.source for index, queue in enumerate(queues)]
    size = [sent[origin[index]] + 1 for index in range(len(queues))]
    fresh = [bytearray(n) for n in size]  # deliveries without the flag, 255 at most
    again = [bytearray(n) for n in size]  # ... with it
    settled = [bytearray(n) for n in size]
    latest = [0] * len(queues)
    violations = {what: [] for what in ("lost", "reordered", "corrupt", "invented", "duplicate")}

    def accuse(what, queue, sequence):
        figures[what] += 1
        if len(violations[what]) < examples:
            violations[what].append(f"{queues[queue].name} {sequence}")

    for each in consumed:
        kind, queue, sequence = each >> 56, each >> 48 & 0xFF, each & SEQUENCE
        if kind == CORRUPT:
            accuse("corrupt", queue, sequence)
        elif not 0 < sequence < size[queue]:
            accuse("invented", queue, sequence)
        elif kind == SETTLED:
            settled[queue][sequence] = 1
        else:
            if not fresh[queue][sequence] and not again[queue][sequence]:
                if sequence < latest[queue]:
                    accuse("reordered", queue, sequence)
                else:
                    latest[queue] = sequence
            seen = again if kind == REDELIVERED else fresh
            figures["redelivered" if kind == REDELIVERED else "delivered"] += 1
            seen[queue][sequence] = min(255, seen[queue][sequence] + 1)

    for index, queue in enumerate(queues):
        source = origin[index]
        for sequence in range(1, size[index]):
            must = len(confirmed[source]) > sequence and confirmed[source][sequence]
            if must and not settled[index][sequence] and (queue.takes is None or queue.takes(sequence)):
                accuse("lost", index, sequence)
            surplus = fresh[index][sequence] - 1
            if surplus > 0:
                surplus -= resent[source][sequence]
                if surplus > 0:
                    accuse("duplicate", index, sequence)
    return dict(figures), violations

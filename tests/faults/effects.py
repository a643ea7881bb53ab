"""What clients were answered, which calls there are and which events came, and what must be true of them. Pure.

A command is one POST /v1/calls with a message id of its own; its number stands in the call's source, so that a call
found afterwards tells which command made it.
"""

import collections
import json

ORDER = {"call.created": 0, "call.ringing": 1, "call.answered": 2, "call.ended": 3, "call.record": 4}


class Effects:
    """Violations, by what is wrong; the first examples of each."""

    def __init__(self, examples=5):
        self.counts, self.found, self.examples = collections.Counter(), collections.defaultdict(list), examples

    def accuse(self, what, example):
        self.counts[what] += 1
        if len(self.found[what]) < self.examples:
            self.found[what].append(example)


def judge(commands, replies, calls, events):
    """(figures, violations); violations is empty where all is well.

    commands  the numbers that were asked for
    replies   (number, wire, status, body): every answer that reached a client; `wire` "amqp": the whole response,
              "http": its body alone
    calls     views of all calls there are, as GET /v1/calls has them
    events    (event id, type, resource id, redelivered), in the order in which they came

    unanswered          no command may stay without an answer below 500
    answers_differ      the same wire gave other bytes to a repeat, or the wires gave different bodies
    created_twice, not_created, other_call
                        a command has one call, the one that its answer names
    event_twice         two events of one type and call (`call.created` … happen once)
    event_missing       no `call.created`, or none that explains the call's present status
    events_reordered    of one call
    event_of_nobody     its call is not there
    event_again         the same event delivered again without `redelivered`
    """
    effects = Effects()
    figures = collections.Counter(commands=len(commands), calls=len(calls))

    answers = collections.defaultdict(dict)  # number -> wire -> bytes
    for number, wire, status, body in replies:
        figures[f"replies_{wire}"] += 1
        if status >= 500:
            figures[f"refused_{status}"] += 1
            continue
        if answers[number].setdefault(wire, body) != body:
            effects.accuse("answers_differ", f"{number} {wire}: {answers[number][wire]!r} then {body!r}")
    named = {}
    for number in commands:
        known = answers.get(number)
        if not known:
            effects.accuse("unanswered", number)
            continue
        bodies = [json.loads(body)["body"] if wire == "amqp" else json.loads(body) for wire, body in known.items()]
        if any(body != bodies[0] for body in bodies):
            effects.accuse("answers_differ", f"{number}: {known}")
        named[number] = (bodies[0] or {}).get("id")

    by_command, ids = collections.defaultdict(list), {}
    for call in calls:
        by_command[int(call["source"]["target"][-8:])].append(call["id"])
        ids[call["id"]] = call["status"]
    for number in commands:
        made = by_command[number]
        if len(made) > 1:
            effects.accuse("created_twice", f"{number}: {made}")
        elif not made:
            effects.accuse("not_created", number)
        elif number in named and made != [named[number]]:
            effects.accuse("other_call", f"{number}: answered {named[number]}, there is {made}")

    seen, types, last = {}, collections.defaultdict(set), collections.defaultdict(int)
    for event_id, kind, call, redelivered in events:
        figures["deliveries_of_events"] += 1
        if event_id in seen:
            if not redelivered:
                effects.accuse("event_again", f"{kind} of {call}")
            continue
        seen[event_id] = kind
        if call not in ids:
            effects.accuse("event_of_nobody", f"{kind} of {call}")
        if kind in types[call]:
            effects.accuse("event_twice", f"{kind} of {call}")
        types[call].add(kind)
        rank = ORDER.get(kind, 0)
        if rank < last[call]:
            effects.accuse("events_reordered", f"{kind} of {call}")
        last[call] = max(last[call], rank)
    figures["events"] = len(seen)
    explains = {"ringing": "call.ringing", "progressing": "call.answered", "hangup": "call.ended"}
    for call, status in ids.items():
        for wanted in {"call.created", explains.get(status, "call.created")} - types[call]:
            effects.accuse("event_missing", f"{wanted} of {call}, which is {status}")
    return {**figures, **effects.counts}, dict(effects.found)

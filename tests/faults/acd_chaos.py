#!/usr/bin/env python3
"""The contact centre under chaos: agents who answer, are busy, don't answer, reject, hang up, log out in the middle of a
ring; callers who lose patience, are hung up by somebody else, are kicked out of the queue; and a node that is killed again
and again. Everything is asked for by AMQP with a message_id of its own, and asked again after a kill. With --crashes the plugins of
calls, agents and queues are replaced, under load, by versions that throw in one of two hundred decisions; who is answered 500
or 503 asks again.

    tests/faults/acd_chaos.py [--callers 2000] [--agents 200] [--queues 5] [--seconds 60] [--kills 5] [--crashes] [--seed 1]

The judge knows only what a client can see: the answers, and the log of events that a durable queue collected, by event_id.
Every caller who was put in must have left exactly once, no agent may ever have had two callers, at the end nobody waits and no
agent is stuck, and each queue's own counters must be what the log recounts. Printed: one line of JSON; exit 1 if not."""

import argparse
import collections
import json
import pathlib
import random
import sys
import tempfile
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from conftest import BINARY, Node  # noqa: E402
from drain import lasting_ports  # noqa: E402
from rpc_load import RpcLoad, envelope, percentile  # noqa: E402

LOG = "acd_chaos.log"
FAST = ["plugin.loopback_trunk.ring_ms=50", "plugin.loopback_trunk.answer_ms=150", "plugin.queue.wrap_up_ms=150",
        "plugin.queue.ring_timeout_ms=700", "log.level=error"]
# Numbers of far ends (actors/loopback_trunk): how an agent's phone behaves.
PHONES = ["+15550009999"] * 6 + ["+15550000200", "+15550000300", "+15550000500", "+15550000101"]
CRASHING = ["call", "agent", "queue"]  # tests/runtime/plugins/crashing.hpp
AGAIN_AFTER_S = 0.5
LEFT = {"queue.serviced": "serviced", "queue.abandoned": "abandoned", "queue.overflowed": "overflowed",
        "queue.called_back": "called_back"}


class Client:
    """Asks the services of a node that may be away, each request once in effect. `crashes`: they may fail, too."""

    def __init__(self, node, crashes=False):
        self.node, self.loads, self.then, self.refused = node, {}, {}, collections.Counter()
        self.crashes, self.failed, self.again = crashes, 0, []

    def ask(self, service, method, route, body=None, then=None, may_fail=()):
        load = self.loads.get(service)
        if not load:
            load = self.loads[service] = RpcLoad(self.node.amqp, service, [], self._on_answer)
        load.templates.append(load._template(f"bin-manager.{service}.request", envelope(method, route, body)))
        self.then[f"{load.ids}{load.asked:012x}"] = (service, method, route, body, then, may_fail)
        load.add(time.monotonic())

    def _on_answer(self, message_id, status, body, _):
        question = self.then.pop(message_id, None)
        if not question:
            return
        service, _, _, _, then, may_fail = question
        if self.crashes and status in (500, 503):
            self.failed += 1
            self.again.append((time.monotonic() + AGAIN_AFTER_S, question))
        elif status != 200 and status not in may_fail:
            self.refused[f"{status} {service}: {body[:200].decode()}"] += 1
        if status == 200 and then:
            then(json.loads(body)["body"])

    def turn(self, seconds=0.01):
        while self.again and self.again[0][0] < time.monotonic():
            self.ask(*self.again.pop(0)[1])
        for load in list(self.loads.values()):
            load.run(seconds, 0, 0, settle_s=0)

    def settle(self, seconds=60):
        until = time.monotonic() + seconds
        while self.again or any(load.pending for load in self.loads.values()):
            assert time.monotonic() < until, "requests without an answer"
            self.turn()

    def get(self, service, route):
        found = []
        self.ask(service, "GET", route, then=found.append, may_fail=(404,))
        self.settle()
        return found[0] if found else None


def read_log(node):
    """Events in the order they came, each event_id once."""
    connection = node.pika()
    channel = connection.channel()
    events, seen, repeats = [], set(), 0
    for method, _, body in channel.consume(LOG, auto_ack=True, inactivity_timeout=1.0):
        if method is None:
            break
        event = json.loads(body)
        if event["event_id"] in seen:
            repeats += 1
            continue
        seen.add(event["event_id"])
        events.append(event)
    connection.close()
    return events, repeats


class Judge:
    def __init__(self):
        self.violations = collections.Counter()
        self.examples = {}

    def expect(self, holds, what, example):
        if not holds:
            self.violations[what] += 1
            self.examples.setdefault(what, str(example)[:300])

    def recount(self, events):
        """What each queue should say of itself; order counts within a queue."""
        of_queue = collections.defaultdict(collections.Counter)
        left, joined, engaged, waits = collections.Counter(), {}, {}, []
        for event in events:
            kind, data = event["event_type"], event["data"]
            if not kind.startswith("queue."):
                continue
            queue, caller, agent = event["resource_id"], data.get("queuecall_id"), data.get("agent_id")
            if kind == "queue.caller_joined":
                self.expect(caller not in joined, "joined twice", caller)
                joined[caller] = queue
                of_queue[queue]["incoming"] += 1
            elif kind == "queue.offered":
                holder = engaged.get((queue, agent))
                self.expect(holder in (None, caller), "agent beyond capacity", (agent, holder, caller))
                engaged[queue, agent] = caller
            elif kind in ("queue.offer_failed", "queue.agent_lost"):  # lost: he hung up before they talked
                if engaged.get((queue, agent)) == caller:
                    del engaged[queue, agent]
            elif kind in LEFT:
                left[caller] += 1
                of_queue[queue][LEFT[kind]] += 1
                for held in [one for one, who in engaged.items() if who == caller]:
                    del engaged[held]
                waits.append(data.get("waited_ms", 0))
                self.expect(caller in joined, "left without having joined", caller)
        for caller in joined:
            self.expect(left[caller] == 1, "left not exactly once", (caller, left[caller]))
        return of_queue, len(joined)

    def agents(self, events):
        """One call at a time, by what the agents themselves say; order counts within an agent."""
        status = {}
        for event in events:
            if event["event_type"] != "agent.status_change":
                continue
            agent, data = event["resource_id"], event["data"]
            previous = status.get(agent, "offline")
            self.expect(data.get("previous", previous) == previous, "status change out of order",
                        (agent, previous, data.get("previous")))
            self.expect(not (previous in ("ringing", "busy") and data["status"] == "ringing"), "rung while ringing or busy", agent)
            status[agent] = data["status"]
        return status


def crashed_decisions(node, version="9.0.0"):
    """Of the crashing plugins, since the node's start."""
    rows = node.request("GET", "/api/plugins", port=node.admin)[1]["plugins"]
    return sum(one["failed"] for row in rows if row["version"] == version for one in row["types"])


def run(directory, callers, how_many_agents, how_many_queues, seconds, how_many_kills, seed, crashes=False):
    """(figures, violations, examples of them)"""
    dice = random.Random(seed)
    judge = Judge()
    versions = BINARY.parent / "test_plugins"
    node = Node(pathlib.Path(directory) / "data", FAST + ([f"node.plugin_folders={versions}"] if crashes else []))
    node.amqp, node.zmq, node.http, node.admin = lasting_ports(4, dice)
    node.start()
    setup = node.pika()
    channel = setup.channel()
    channel.queue_declare(LOG, durable=True)
    for exchange in ("queue.events", "agent.events", "call.events"):
        channel.queue_bind(LOG, exchange, "#")
    setup.close()
    client = Client(node, crashes)
    queues = [str(uuid.UUID(int=dice.getrandbits(128))) for _ in range(how_many_queues)]
    agents = [str(uuid.UUID(int=dice.getrandbits(128))) for _ in range(how_many_agents)]
    for queue in queues:
        client.ask("queue", "POST", "/v1/queues", {"id": queue, "name": queue[:4], "wait_timeout": 15000})
    for agent in agents:
        client.ask("agent", "POST", "/v1/agents",
                   {"id": agent, "addresses": [{"type": "tel", "target": dice.choice(PHONES)}]})
    client.settle()
    for agent in agents:
        for queue in dice.sample(queues, dice.choice([1, 1, 2])):
            client.ask("queue", "POST", f"/v1/queues/{queue}/agents", {"agent_id": agent})
        client.ask("agent", "POST", f"/v1/agents/{agent}/login")
    client.settle()

    calls, put_in = [], []

    def new_caller():
        call, queue = str(uuid.UUID(int=dice.getrandbits(128))), dice.choice(queues)
        patience = dice.choice(["0101", "0102", "0103", "0105", "9999"])
        calls.append(call)

        def enter(_):
            put_in.append((queue, call))
            client.ask("queue", "POST", f"/v1/queues/{queue}/calls", {"call_id": call}, may_fail=(409, 429))
        client.ask("call", "POST", "/v1/calls", {"id": call, "direction": "incoming", "max_duration_ms": 6000,
                                                 "source": {"type": "tel", "target": f"+1555777{patience}"},
                                                 "destination": {"type": "tel", "target": "+15551234567"}}, then=enter)

    began, came, disturbed = time.monotonic(), 0, 0
    kill_at = sorted(dice.uniform(0.1, 0.95) * seconds for _ in range(how_many_kills))
    kills = crashed = 0

    def load_crashing():
        for actor in CRASHING if crashes else []:
            node.cli("plugin", "load", str(versions / f"{actor}_crashing.so"))

    load_crashing()
    while came < callers or kills < how_many_kills:
        now = time.monotonic() - began
        while came < callers and came < now / seconds * callers:
            new_caller()
            came += 1
        while disturbed < now * 10:
            disturbed += 1
            kind = dice.randrange(4)
            if kind == 0 and calls:
                client.ask("call", "POST", f"/v1/calls/{dice.choice(calls[-100:])}/hangup", may_fail=(404,))
            elif kind == 1 and put_in:
                queue, call = dice.choice(put_in[-100:])
                client.ask("queue", "DELETE", f"/v1/queues/{queue}/calls/{call}", may_fail=(404,))
            else:
                agent = dice.choice(agents)
                client.ask("agent", "POST", f"/v1/agents/{agent}/" + ("logout" if kind == 2 else "login"))
        if kills < how_many_kills and now > kill_at[kills]:
            kills += 1
            crashed += crashed_decisions(node)
            node.kill()
            node.start()
            load_crashing()
        client.turn()
    client.settle()
    # Whoever is left is served or gives up: calls last 6 s, waits 15 s.
    until = time.monotonic() + 60
    while time.monotonic() < until:
        shown = {queue: client.get("queue", f"/v1/queues/{queue}") for queue in queues}
        if all(one["waiting"] == one["active"] == 0 for one in shown.values()):
            break
        time.sleep(0.5)
    time.sleep(3)  # wrap-up, and agents who ring for nobody
    shown = {queue: client.get("queue", f"/v1/queues/{queue}") for queue in queues}
    resting = {agent: client.get("agent", f"/v1/agents/{agent}") for agent in agents}
    events, repeats = read_log(node)
    crashed += crashed_decisions(node)
    node.stop()

    of_queue, joined = judge.recount(events)
    judge.agents(events)
    for queue, one in shown.items():
        counted = of_queue[queue]
        judge.expect(one["waiting"] == one["active"] == 0, "somebody still waits", (queue, one["waiting"], one["active"]))
        for name, mine in (("total_incoming_count", counted["incoming"]), ("total_serviced_count", counted["serviced"]),
                           ("total_abandoned_count", counted["abandoned"])):
            judge.expect(one[name] == mine, f"{name} is not what the log says", (queue, one[name], mine))
    for agent, one in resting.items():
        judge.expect(one["status"] in ("available", "offline", "away", "paused"), "agent stuck", (agent, one["status"], one))
    judge.expect(not client.refused, "refused", dict(client.refused))
    total = sum(of_queue.values(), collections.Counter())
    ended = collections.Counter(event["resource_id"] for event in events if event["event_type"] == "call.ended")
    judge.expect(all(ended[call] == 1 for call in calls), "caller's call not ended exactly once",
                 [(call, ended[call]) for call in calls if ended[call] != 1][:3])
    offers = sum(event["event_type"] == "queue.offered" for event in events)
    failed = collections.Counter(event["data"].get("reason") for event in events if event["event_type"] == "queue.offer_failed")
    waited = [event["data"]["waited_ms"] for event in events if event["event_type"] == "queue.connected"]
    figures = {"seed": seed, "callers": came, "put_in": joined, "agents": how_many_agents, "kills": kills, "events": len(events),
               "crashed_decisions": crashed, "repeated_events": repeats, "offers": offers, "offers_failed": dict(failed), **dict(total),
               "waited_ms_p50": percentile(waited, 0.5), "waited_ms_p99": percentile(waited, 0.99)}
    return figures, dict(judge.violations), judge.examples


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--callers", type=int, default=2000)
    asked.add_argument("--agents", type=int, default=200)
    asked.add_argument("--queues", type=int, default=5)
    asked.add_argument("--seconds", type=float, default=60, help="in which the callers come")
    asked.add_argument("--kills", type=int, default=5)
    asked.add_argument("--crashes", action="store_true", help="of plugins")
    asked.add_argument("--seed", type=int, default=1)
    how = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures, violations, examples = run(folder, how.callers, how.agents, how.queues, how.seconds, how.kills, how.seed,
                                            how.crashes)
    print(json.dumps({"test": "acd_chaos", **figures, "violations": violations}))
    if violations:
        print(json.dumps(examples, indent=1), file=sys.stderr)
    happened = figures["put_in"] and figures.get("serviced") and (figures["crashed_decisions"] or not how.crashes)
    return 1 if violations or not happened else 0


if __name__ == "__main__":
    sys.exit(main())

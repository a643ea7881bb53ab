#!/usr/bin/env python3
"""Orderly restarts under load (facts: G21): SIGTERM, wait for the exit, start again on the same ports, N times, while a
client places calls at a steady rate, reconnects and repeats what was unanswered with the same message_id. Every request
must be answered 200 and every message_id must have made exactly one call, counted from outside: by the answers and by the
call.created events that a durable queue of another process collects.

    tests/faults/drain.py [--restarts 100] [--rate 1000] [--seed 1]

Fault model: the process is asked to stop. Printed: one line of JSON; exit 1 if anything was lost, refused or done twice."""

import argparse
import json
import multiprocessing
import os
import pathlib
import random
import signal
import socket
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import pika  # noqa: E402
from conftest import Node  # noqa: E402
from rpc_load import RpcLoad, new_call, percentile  # noqa: E402


def lasting_ports(count, dice):
    """Ports that stay free while the node is away: none that the system gives to outgoing connections."""
    found = []
    while len(found) < count:
        port = dice.randrange(7200, 30000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                found.append(port)
            except OSError:
                pass
    return found


def client(port, rate, stop, out):
    calls, refused, answered_at, seconds = {}, {}, [], []
    twice = 0

    def on_answer(message_id, status, body, took):
        nonlocal twice
        now = time.monotonic()
        if status != 200:
            refused[message_id] = body.decode("utf-8", "replace")[:300]
            return
        call = json.loads(body)["body"]["id"]
        if calls.setdefault(message_id, call) != call:
            twice += 1
        if took is not None:
            answered_at.append(now)
            seconds.append(took)

    load = RpcLoad(port, "call", [new_call()], on_answer)
    load.run(float("inf"), rate, stop=stop)
    gaps = [b - a for a, b in zip(answered_at, answered_at[1:]) if b - a > 0.1]
    out.put({"calls": calls, "refused": refused, "unanswered": len(load.pending), "twice": twice,
             "resent": load.resent, "connects": load.connects, "closes": load.closes, "gaps": gaps,
             "p50": percentile(seconds, 0.5), "p99": percentile(seconds, 0.99), "max": max(seconds, default=None)})
    load.close()


def counter(port, done, out):
    """Collects call.created by event_id until told that no more will come and its queue is empty."""
    created = {}
    while True:
        try:
            connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port))
            channel = connection.channel()
            channel.basic_qos(prefetch_count=1000)
            for method, _, body in channel.consume("drain.counter", inactivity_timeout=0.5):
                if method is None:
                    if done.is_set():
                        out.put(created)
                        connection.close()
                        return
                    continue
                if b'"call.created"' in body:
                    event = json.loads(body)
                    if event["event_type"] == "call.created":
                        created.setdefault(event["resource_id"], set()).add(event["event_id"])
                if method.delivery_tag % 200 == 0:
                    channel.basic_ack(method.delivery_tag, multiple=True)
        except (pika.exceptions.AMQPError, OSError):
            time.sleep(0.05)


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--restarts", type=int, default=100)
    asked.add_argument("--rate", type=float, default=1000, help="calls a second")
    asked.add_argument("--seed", type=int, default=1, help="of the time between restarts")
    asked.add_argument("--port", type=int, default=0, help="the first of four ports; default: any that are free")
    how = asked.parse_args()
    dice = random.Random(how.seed)
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        node = Node(pathlib.Path(folder) / "data", ["log.level=warning"])
        node.amqp, node.zmq, node.http, node.admin = how.port and range(how.port, how.port + 4) or lasting_ports(4, dice)
        node.start()
        setup = node.pika()
        channel = setup.channel()
        channel.queue_declare("drain.counter", durable=True)
        channel.queue_bind("drain.counter", "call.events")
        setup.close()
        stop, done, out, counted = context.Event(), context.Event(), context.Queue(), context.Queue()
        peers = [context.Process(target=client, args=(node.amqp, how.rate, stop, out)),
                 context.Process(target=counter, args=(node.amqp, done, counted))]
        for peer in peers:
            peer.start()
        drains, starts, codes, warnings = [], [], {}, []
        try:
            for _ in range(how.restarts):
                time.sleep(dice.uniform(0.5, 1.5))
                began = time.monotonic()
                os.kill(node.pid, signal.SIGTERM)
                code = node.lines.process.wait(60)
                drains.append(time.monotonic() - began)
                codes[code] = codes.get(code, 0) + 1
                warnings += [line for line in node.lines.seen if "shutdown_blocked" in line or "forcibly" in line]
                node.start()
                starts.append(node.ready_s)
            time.sleep(1)
            stop.set()
            seen = out.get(timeout=120)
            done.set()
            created = counted.get(timeout=120)
        finally:
            for peer in peers:
                if peer.is_alive():
                    peer.join(5)
                    peer.kill()
        node.stop()
    calls = set(seen["calls"].values())
    rounded = lambda value: None if value is None else round(value, 3)
    figures = {
        "test": "drain", "seed": how.seed, "restarts": how.restarts, "rate": how.rate, "requests": len(seen["calls"]),
        "failed": len(seen["refused"]) + seen["unanswered"], "answered_twice_differently": seen["twice"],
        "calls_missing": len(calls - set(created)), "calls_nobody_asked_for": len(set(created) - calls),
        "ids_without_own_call": len(seen["calls"]) - len(calls),
        "created_more_than_once": sum(1 for events in created.values() if len(events) > 1),
        "exit_codes": codes, "blocked": len(warnings), "resent": seen["resent"], "connects": seen["connects"],
        "closes": seen["closes"],
        "drain_s": {"p50": rounded(percentile(drains, 0.5)), "max": rounded(max(drains))},
        "start_s": {"p50": rounded(percentile(starts, 0.5)), "max": rounded(max(starts))},
        "gap_s": {"count": len(seen["gaps"]), "p50": rounded(percentile(seen["gaps"], 0.5)),
                  "max": rounded(max(seen["gaps"], default=None))},
        "answer_s": {"p50": rounded(seen["p50"]), "p99": rounded(seen["p99"]), "max": rounded(seen["max"])},
    }
    print(json.dumps(figures))
    bad = (figures["failed"] or figures["answered_twice_differently"] or figures["calls_missing"] or
           figures["calls_nobody_asked_for"] or figures["ids_without_own_call"] or figures["created_more_than_once"] or
           set(codes) != {0} or warnings or figures["requests"] == 0)
    if bad:
        print("\n".join([*list(seen["refused"].values())[:10], *warnings[:10]]), file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

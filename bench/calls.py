#!/usr/bin/env python3
"""Calls placed by AMQP, exactly once: POST /v1/calls, each with a message_id of its own, so many in flight. The far end of
each rings and answers meanwhile, unless --quiet: then only the placing is measured.

    bench/calls.py [--seconds 5] [--in-flight 64] [--clients 1] [--durable] [--quiet]

Printed: one line of JSON: calls a second, how long an answer takes in ms, the node's processor time per call in us."""

import collections
import json
import multiprocessing
import time

from load import arguments, broker, cpu_s

from rpc_load import RpcLoad, new_call, percentile


def place(port, in_flight, durable, seconds, start, out):
    took, failed = [], collections.Counter()

    def on_answer(message_id, status, body, seconds_taken):
        if status == 200:
            took.append(seconds_taken * 1000)
        else:
            failed[status] += 1

    load = RpcLoad(port, "call", [new_call()], on_answer, durable=durable)
    while not load.connect():
        time.sleep(0.05)
    start.wait()
    load.run(seconds, None, in_flight)
    load.close()
    out.put({"took": took, "failed": dict(failed)})


def main():
    asked = arguments(__doc__)
    asked.add_argument("--seconds", type=float, default=5)
    asked.add_argument("--in-flight", type=int, default=64, help="of all clients together")
    asked.add_argument("--clients", type=int, default=1)
    asked.add_argument("--durable", action="store_true", help="requests and replies are persistent")
    asked.add_argument("--quiet", action="store_true", help="no far end rings during the measurement")
    how = asked.parse_args()
    context = multiprocessing.get_context("fork")
    with broker(how, *(["plugin.loopback_trunk.ring_ms=3600000"] if how.quiet else [])) as (port, pid):
        start, out = context.Event(), context.Queue()
        peers = [context.Process(target=place, args=(port, how.in_flight // how.clients, how.durable, how.seconds, start, out))
                 for _ in range(how.clients)]
        for peer in peers:
            peer.start()
        time.sleep(0.5)
        before = cpu_s(pid)
        start.set()
        time.sleep(how.seconds)
        used = cpu_s(pid) - before
        seen = [out.get(timeout=90) for _ in peers]
        for peer in peers:
            peer.join(10)
    took = [one for each in seen for one in each["took"]]
    failed = sum((collections.Counter(each["failed"]) for each in seen), collections.Counter())
    assert took and not failed, failed
    print(json.dumps({"in_flight": how.in_flight, "durable": how.durable, "quiet": how.quiet,
                      "calls_per_s": round(len(took) / how.seconds), "p50_ms": round(percentile(took, 0.5), 2),
                      "p99_ms": round(percentile(took, 0.99), 2), "cpu_us_per_call": round(used * 1e6 / len(took), 1)}))


if __name__ == "__main__":
    main()

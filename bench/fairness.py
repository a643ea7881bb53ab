#!/usr/bin/env python3
"""Does a flooded actor starve a quiet one? One call is asked as fast as it answers, with many requests in flight; another
call and an agent are asked 100 times a second, each from a connection of its own. The calls share a service and its queue,
which is first come, first served; the agent shares only the machine.

    bench/fairness.py [--seconds 10] [--in-flight 500] [--flood GET|POST]

Printed: one line of JSON, p50 and p99 of the quiet ones alone and beside the flood, in ms, and what the flood got done."""

import json
import multiprocessing
import time

from load import arguments, broker

from rpc_load import RpcLoad, envelope, new_call, percentile


def ask(port, service, bodies, rate, in_flight, seconds, out):
    took, statuses, answers = [], {}, []

    def on_answer(message_id, status, body, seconds_taken):
        statuses[status] = statuses.get(status, 0) + 1
        if seconds_taken is not None:
            took.append(seconds_taken * 1000)
        if not answers:
            answers.append(body)

    load = RpcLoad(port, service, bodies, on_answer, durable=False)
    while not load.connect():
        time.sleep(0.05)
    load.run(seconds, rate, in_flight)
    load.close()
    out.put({"p50": percentile(took, 0.5), "p99": percentile(took, 0.99), "statuses": statuses,
             "per_s": len(took) / seconds, "first": answers[0].decode()})


def main():
    asked = arguments(__doc__)
    asked.add_argument("--seconds", type=float, default=10)
    asked.add_argument("--in-flight", type=int, default=500)
    asked.add_argument("--flood", choices=("GET", "POST"), default="GET", help="what the flooded one is asked")
    how = asked.parse_args()
    context = multiprocessing.get_context("fork")

    with broker(how) as (port, _):
        def together(*loads):
            queues = [context.Queue() for _ in loads]
            peers = [context.Process(target=ask, args=(port, *load, out)) for load, out in zip(loads, queues)]
            for peer in peers:
                peer.start()
            seen = [out.get(timeout=how.seconds + 90) for out in queues]
            for peer in peers:
                peer.join(10)
            return seen

        def create(service, body):
            return json.loads(together((service, [body], 10, 1, 0.05))[0]["first"])["body"]["id"]

        flooded, quiet = (create("call", new_call("+15559876543")) for _ in range(2))
        agent = create("agent", envelope("POST", "/v1/agents", {
            "name": "Ann", "addresses": [{"type": "tel", "target": "+15550000001"}]}))
        same = ("call", [envelope("GET", f"/v1/calls/{quiet}", None)], 100, None, how.seconds)
        other = ("agent", [envelope("GET", f"/v1/agents/{agent}", None)], 100, None, how.seconds)
        route = f"/v1/calls/{flooded}" + ("" if how.flood == "GET" else "/hold")
        flood = ("call", [envelope(how.flood, route, None)], None, how.in_flight, how.seconds)
        alone = together(same, other)
        *beside, done = together(same, other, flood)

    def figures(seen):
        assert all(set(one["statuses"]) == {200} for one in seen), seen
        return {name: {key: round(one[key], 2) for key in ("p50", "p99")} for name, one in zip(("call", "agent"), seen)}

    print(json.dumps({"flood": how.flood, "in_flight": how.in_flight, "alone_ms": figures(alone), "beside_ms": figures(beside),
                      "flood_per_s": round(done["per_s"]), "flood_statuses": done["statuses"]}))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""How declares, binds and routes behave as a node fills up: up to 100,000 queues and 1,000,000 bindings.

    bench/topology_curve.py [--queues 100000] [--bindings 1000000]

At each size: rate of the next declares (or binds), measured over a window behind it; rate and server CPU of publishes to
keys chosen at random among all; memory of the node. Queues are transient and hold one message at most. All that is sent
is pipelined on one connection, so the rates are those of the topology, not of round trips."""

import json
import random
import time

from load import arguments, broker, cpu_s, rss_bytes
from pamqp import commands
from wire import Wire, method, publish

WINDOW = 2000  # calls over which a rate is taken
IN_FLIGHT = 500


def calls(wire, frames):
    """Sends method frames that are answered one by one; seconds for all."""
    began = time.monotonic()
    for begin in range(0, len(frames), IN_FLIGHT):
        part = frames[begin:begin + IN_FLIGHT]
        wire.send(b"".join(part))
        for _ in part:
            kind, _, payload = wire.frame(60)
            assert kind == 1 and payload[2:4] not in (b"\0\x28", b"\0\x32"), payload  # no close
    return time.monotonic() - began


def routed(wire, pid, exchange, keys):
    """(publishes per second, microseconds of the server's CPU for each)."""
    data = [publish(1, exchange, key, b"x") for key in keys]
    cpu, began = cpu_s(pid), time.monotonic()
    for begin in range(0, len(data), 1000):
        wire.send(b"".join(data[begin:begin + 1000]))
    wire.call(commands.Basic.Qos(), commands.Basic.QosOk)
    seconds = time.monotonic() - began
    return round(len(keys) / seconds), round((cpu_s(pid) - cpu) / len(keys) * 1e6, 2)


def main():
    asked = arguments(__doc__)
    asked.add_argument("--queues", type=int, default=100_000)
    asked.add_argument("--bindings", type=int, default=1_000_000)
    asked.add_argument("--routes", type=int, default=20_000)
    how = asked.parse_args()
    c = commands
    dice = random.Random(1)
    with broker(how) as (port, pid):
        wire = Wire(port).go("channel")
        start = rss_bytes(pid)

        def declare(number):
            return method(1, c.Queue.Declare(queue=f"queue-{number}", arguments={"x-max-length": 1}))

        made = 0
        for size in [s for s in (1000, 10_000, 100_000) if s <= how.queues]:
            calls(wire, [declare(n) for n in range(made, size - WINDOW if size > WINDOW else 0)])
            made = max(made, size - WINDOW if size > WINDOW else 0)
            cpu = cpu_s(pid)
            window = [declare(n) for n in range(made, size)]
            seconds = calls(wire, window)
            spent = (cpu_s(pid) - cpu) / len(window) * 1e6
            made = size
            rss = rss_bytes(pid)
            rate, each = routed(wire, pid, "", [f"queue-{dice.randrange(size)}" for _ in range(how.routes)])
            print(json.dumps({"queues": size, "declares per second": round(len(window) / seconds), "cpu of a declare, us":
                              round(spent, 1), "routes per second": rate, "cpu of a route, us": each,
                              "KiB for each queue": round((rss - start) / size / 1024, 2)}), flush=True)

        queues = min(how.queues, 1000)
        start = rss_bytes(pid)

        def bind(number):
            # A direct key, or a topic pattern: half and half, over all queues.
            queue = f"queue-{number % queues}"
            if number % 2:
                return method(1, c.Queue.Bind(queue=queue, exchange="amq.direct", routing_key=f"key.{number}"))
            return method(1, c.Queue.Bind(queue=queue, exchange="amq.topic", routing_key=f"call.{number}.*.#"))

        made = 0
        for size in [s for s in (10_000, 100_000, 1_000_000) if s <= how.bindings]:
            calls(wire, [bind(n) for n in range(made, size - WINDOW)])
            cpu = cpu_s(pid)
            seconds = calls(wire, [bind(n) for n in range(size - WINDOW, size)])
            spent = (cpu_s(pid) - cpu) / WINDOW * 1e6
            made = size
            rss = rss_bytes(pid)
            direct = routed(wire, pid, "amq.direct", [f"key.{dice.randrange(size // 2) * 2 + 1}" for _ in range(how.routes)])
            topic = routed(wire, pid, "amq.topic", [f"call.{dice.randrange(size // 2) * 2}.a.b" for _ in range(how.routes)])
            print(json.dumps({"bindings": size, "binds per second": round(WINDOW / seconds), "cpu of a bind, us": round(spent, 1),
                              "direct routes per second": direct[0], "cpu, us": direct[1], "topic routes per second": topic[0],
                              "cpu of topic, us": topic[1], "bytes for each binding": round((rss - start) / size)}), flush=True)
        began = time.monotonic()
        calls(wire, [method(1, c.Queue.Delete(queue=f"queue-{n}")) for n in range(queues)])
        print(json.dumps({"deleting": queues, "queues with bindings": how.bindings,
                          "seconds": round(time.monotonic() - began, 2)}), flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What an idle connection costs: memory of the node (RSS) for each, and the processor it takes while nothing happens.

    bench/idle_connections.py [--count 10000] [--channels 1] [--heartbeat 60]

Stages: accepted (nothing said), logged in, with a channel, with a consumer on a queue of its own."""

import json
import time

from load import arguments, broker, cpu_s, rss_bytes
from pamqp import commands
from wire import PROTOCOL_HEADER, Wire, method, start_ok

BATCH = 200  # connections that take each step together


def open_sockets(port, count, already=0):
    """From several addresses, so that ports don't run out."""
    return [Wire(port, source=f"127.0.1.{number // 5000 + 1}") for number in range(already, already + count)]


def step(all_of_them, data, frames):
    """Each sends `data` and reads so many frames."""
    for begin in range(0, len(all_of_them), BATCH):
        batch = all_of_them[begin:begin + BATCH]
        for each in batch:
            each.send(data)
        for each in batch:
            for _ in range(frames):
                each.frame()


def main():
    asked = arguments(__doc__)
    asked.add_argument("--count", type=int, default=10_000)
    asked.add_argument("--heartbeat", type=int, default=60)
    how = asked.parse_args()
    c = commands
    with broker(how) as (port, pid):
        warm = open_sockets(port, 50)
        login = (PROTOCOL_HEADER + method(0, start_ok()) + method(0, c.Connection.TuneOk(2047, 131072, how.heartbeat)) +
                 method(0, c.Connection.Open("/")))
        step(warm, login, 3)
        for each in warm:
            each.socket.close()
        time.sleep(1)  # they end on the node's side
        start = rss_bytes(pid)
        probe = Wire(port).go("channel")
        stages = {}

        def note(name):
            probe.call(c.Basic.Qos(), c.Basic.QosOk)
            stages[name] = round((rss_bytes(pid) - start) / len(waiting) / 1024, 2)

        # No more than can log in within the ten seconds there are for it.
        waiting = open_sockets(port, min(how.count, 1000))
        note("accepted")
        step(waiting, login, 3)
        began, already = time.monotonic(), len(waiting)
        while len(waiting) < how.count:
            batch = open_sockets(port, min(BATCH, how.count - len(waiting)), len(waiting))
            step(batch, login, 3)
            waiting += batch
        login_s = time.monotonic() - began
        note("logged in")
        before, since = cpu_s(pid), time.monotonic()
        time.sleep(10)
        idle_us = (cpu_s(pid) - before) / (time.monotonic() - since) / how.count * 1e6
        step(waiting, method(1, c.Channel.Open()), 1)
        note("with a channel")
        step(waiting, method(1, c.Queue.Declare(queue="", exclusive=True)) + method(1, c.Basic.Consume(queue="")), 2)
        note("with a queue and a consumer")
        began = time.monotonic()
        for each in waiting:
            each.socket.close()
        probe.call(c.Basic.Qos(), c.Basic.QosOk)
        time.sleep(2)
        left = (rss_bytes(pid) - start) / how.count / 1024
    print(json.dumps({"connections": how.count, "KiB each": stages, "left after all closed, KiB each": round(left, 2),
                      "idle cpu, us per second each": round(idle_us, 2),
                      "connects with login per second": round((how.count - already) / max(login_s, 1e-9))}))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Complete calls a second: each is placed by AMQP exactly once, rings, is answered, hangs up by itself (the loopback trunk's
far end 01NN), and all its events reach a durable queue whose consumer acknowledges them.

    bench/complete_calls.py [--seconds 20] [--in-flight 64] [--live 4000] [--talk 0] [--transient]

--in-flight: requests on their way; --live: no more are placed while so many calls have not ended. Printed: one line of JSON,
counted by the consumer of the events: calls that ended per second in the middle of the run, the node's processor time per
call, events per call. Fails unless in the end every call placed has each of its events once."""

import collections
import json
import multiprocessing
import re
import struct
import sys
import time

from load import arguments, broker, cpu_s

from pamqp import commands
from rpc_load import RpcLoad, new_call
from wire import BODY, METHOD, Wire

EVENT_TYPE, RESOURCE = re.compile(rb'"event_type":"([^"]*)"'), re.compile(rb'"resource_id":"([^"]*)"')
QUEUE = "bench.complete_calls"
ENDED = b"call.ended"


def consume(port, ready, ended, stop, out):
    """Counts events by type and by call until told to stop; `ended` is shared with the placing side."""
    wire = Wire(port).go("channel")
    wire.call(commands.Queue.Declare(queue=QUEUE, durable=True), commands.Queue.DeclareOk)
    wire.call(commands.Queue.Bind(queue=QUEUE, exchange="call.events", routing_key="#"), commands.Queue.BindOk)
    wire.call(commands.Basic.Qos(prefetch_count=2000), commands.Basic.QosOk)
    wire.call(commands.Basic.Consume(queue=QUEUE), commands.Basic.ConsumeOk)
    ready.set()
    times, of_call, tag, acked = [], collections.Counter(), 0, 0
    wire.socket.settimeout(0.1)
    while not stop.is_set():
        try:
            chunk = wire.socket.recv(1 << 18)
            assert chunk, "the node has closed the connection"
            wire.buffer += chunk
        except TimeoutError:
            pass
        data, at = wire.buffer, 0
        while len(data) - at >= 7:
            kind, _, size = struct.unpack_from(">BHI", data, at)
            if len(data) - at < 8 + size:
                break
            if kind == METHOD and struct.unpack_from(">HH", data, at + 7) == (60, 60):
                tag += 1
            elif kind == BODY:
                body = data[at + 7:at + 7 + size]
                event = EVENT_TYPE.search(body).group(1)
                of_call[RESOURCE.search(body).group(1), event] += 1
                if event == ENDED:
                    times.append(time.monotonic())
            at += 8 + size
        wire.buffer = data[at:]
        if tag > acked:
            wire.method(1, commands.Basic.Ack(delivery_tag=tag, multiple=True))
            acked = tag
        ended.value = len(times)
    out.put((times, of_call))


def main():
    asked = arguments(__doc__)
    asked.add_argument("--seconds", type=float, default=20)
    asked.add_argument("--in-flight", type=int, default=64)
    asked.add_argument("--live", type=int, default=4000)
    asked.add_argument("--talk", type=int, default=0, help="seconds, at most 99")
    asked.add_argument("--transient", action="store_true", help="requests and replies are not persistent")
    how = asked.parse_args()
    context = multiprocessing.get_context("fork")
    with broker(how) as (port, pid):
        ready, stop, out, ended = context.Event(), context.Event(), context.Queue(), context.Value("q", 0)
        counter = context.Process(target=consume, args=(port, ready, ended, stop, out))
        counter.start()
        ready.wait(10)
        statuses = collections.Counter()
        load = RpcLoad(port, "call", [new_call(f"+155598701{how.talk:02}")],
                       lambda _, status, *__: statuses.update([status]), durable=not how.transient)
        while not load.connect():
            time.sleep(0.05)
        began, cpu_before = time.monotonic(), cpu_s(pid)
        while time.monotonic() - began < how.seconds:
            room = how.live - (load.asked - ended.value)
            if room <= 0:
                time.sleep(0.001)
                continue
            load.run(0.02, None, min(how.in_flight, room), settle_s=0)
        load.run(0, None, 0)
        placed, until = load.asked, time.monotonic() + 60
        over = time.monotonic()
        while ended.value < placed and time.monotonic() < until:
            time.sleep(0.05)
        used = cpu_s(pid) - cpu_before
        time.sleep(1)  # a repeated event would come now
        stop.set()
        times, of_call = out.get(timeout=60)
        counter.join(10)
    assert set(statuses) == {200} and statuses[200] == placed, statuses
    kinds = collections.Counter(event for _, event in of_call)
    assert set(of_call.values()) == {1} and set(kinds.values()) == {placed}, (placed, kinds, len(of_call))
    lower, upper = began + how.seconds * 0.2, over
    print(json.dumps({"in_flight": how.in_flight, "live": how.live, "talk_s": how.talk, "durable": not how.transient,
                      "calls": placed, "complete_calls_per_s": round(sum(lower < t < upper for t in times) / (upper - lower)),
                      "cpu_us_per_call": round(used * 1e6 / placed, 1), "events_per_call": len(kinds)}))


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""So many live calls at once: what one costs in memory, and how long a restart takes with all of them.

    bench/live_calls.py [--calls 100000] [--in-flight 256]

The calls are placed by AMQP and answered by the loopback trunk; each is two entities, the call and its trunk leg. Printed:
one line of JSON. `kib_per_entity` is what the process's own memory (RssAnon: not the store's mapped pages) grew by since it was
ready, by entities, all of which are in memory; `passive_kib_per_entity` the same after a restart, when none is. `restart_s`: from
SIGKILL and from SIGTERM to ready; then every 1000th call is asked for and must be progressing."""

import json
import pathlib
import sys
import tempfile
import time
import urllib.request

from load import arguments

from conftest import Node
from rpc_load import RpcLoad, envelope, new_call


def anon_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no RssAnon")


def entities(node):
    text = urllib.request.urlopen(f"http://127.0.0.1:{node.admin}/metrics", timeout=10).read().decode()
    found = [float(line.split()[-1]) for line in text.splitlines() if line.startswith('switchboard_actors{kind="entity"')]
    return int(found[0]) if found else 0


def place(node, count, in_flight):
    ids, failed = [], []

    def on_answer(_, status, body, __):
        if status == 200:
            ids.append(json.loads(body)["body"]["id"])
        else:
            failed.append(status)

    load = RpcLoad(node.amqp, "call", [new_call("+15559876543")], on_answer, durable=True)
    while not load.connect():
        time.sleep(0.05)
    while load.asked < count:
        load.run(0.2, None, in_flight, settle_s=0)
    load.run(0, None, 0)
    load.close()
    assert not failed, failed[:10]
    return ids


def ask(node, ids):
    """Their statuses."""
    statuses = []
    load = RpcLoad(node.amqp, "call", [envelope("GET", f"/v1/calls/{one}", None) for one in ids],
                   lambda _, status, body, __: statuses.append(json.loads(body)["body"]["status"] if status == 200 else status))
    while not load.connect():
        time.sleep(0.05)
    for _ in ids:
        load.add(time.monotonic())
    load.run(0, None, 0)
    load.close()
    return statuses


def restart(node, kill):
    began = time.monotonic()
    node.kill() if kill else node.stop()
    ended = time.monotonic()
    node.start()
    return round(ended - began, 3), round(time.monotonic() - ended, 3)


def main():
    asked = arguments(__doc__)
    asked.add_argument("--calls", type=int, default=100_000)
    asked.add_argument("--in-flight", type=int, default=256)
    how = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        node = Node(pathlib.Path(folder) / "data", ["log.level=error", "node.resident_entities_max=100000000"]).start()
        try:
            empty = anon_bytes(node.pid)
            began = time.monotonic()
            ids = place(node, how.calls, how.in_flight)
            placed_s = time.monotonic() - began
            first = ids[::1000]
            while set(ask(node, first)) != {"progressing"}:
                time.sleep(0.1)
            active, anon_active = entities(node), anon_bytes(node.pid)
            _, killed_s = restart(node, True)
            passive, anon_passive = entities(node), anon_bytes(node.pid)
            after_kill = ask(node, first)
            stop_s, stopped_s = restart(node, False)
            after_stop = ask(node, first)
        finally:
            node.end()
    assert set(after_kill) == set(after_stop) == {"progressing"}, (after_kill[:5], after_stop[:5])
    print(json.dumps({"calls": len(ids), "entities": 2 * len(ids), "placed_per_s": round(len(ids) / placed_s),
                      "in_memory": active, "kib_per_entity": round((anon_active - empty) / 1024 / max(1, active), 2),
                      "in_memory_after_restart": passive, "passive_kib_per_entity": round((anon_passive - empty) / 2048 / len(ids), 2),
                      "anon_mib": [round(one / 1048576) for one in (empty, anon_active, anon_passive)],
                      "restart_s": {"after_sigkill": killed_s, "sigterm_to_exit": stop_s, "after_sigterm": stopped_s}}))


if __name__ == "__main__":
    sys.exit(main())

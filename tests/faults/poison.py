#!/usr/bin/env python3
"""An entity whose decision throws on every message (facts: G22), asked in a hurry, beside entities that work: it must be
parked within 10 s, the node must serve on, and the others' p99 must stay within 1.2 times of what it is without it.

    tests/faults/poison.py [--seconds 4] [--pairs 5] [--rate 200] [--seed 1]

Windows without and with the poison take turns, so that what the machine does meanwhile falls on both. The plugin is
tests/runtime/plugins/counter.cpp. Printed: one line of JSON; exit 1 if not so."""

import argparse
import json
import multiprocessing
import pathlib
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from conftest import BINARY, Node  # noqa: E402
from rpc_load import RpcLoad, envelope, percentile  # noqa: E402

CUSTOMER = "00000000-0000-4000-8000-000000000001"


def ask(port, bodies, rate, seconds, out):
    statuses, took, first = {}, [], {}
    began = time.monotonic()

    def on_answer(message_id, status, body, seconds_taken):
        statuses[status] = statuses.get(status, 0) + 1
        first.setdefault(status, time.monotonic() - began)
        if seconds_taken is not None:
            took.append(seconds_taken)

    load = RpcLoad(port, "counter", bodies, on_answer, durable=False)
    while not load.connect():
        time.sleep(0.05)
    load.run(seconds, rate)
    load.close()
    out.put({"statuses": statuses, "p99_ms": percentile(took, 0.99) * 1000, "first": first})


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seconds", type=float, default=4)
    asked.add_argument("--pairs", type=int, default=5)
    asked.add_argument("--rate", type=float, default=200, help="a second, to the good ones and to the bad one each")
    asked.add_argument("--ratio-max", type=float, default=1.2, help="of the others' p99 beside the poison to that without")
    asked.add_argument("--seed", type=int, default=1, help="accepted for symmetry; nothing here is random")
    how = asked.parse_args()
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        node = Node(pathlib.Path(folder) / "data", [
            f"node.plugins_dir={BINARY.parent / 'test_plugins'}", "node.plugins=counter", "log.level=error"]).start()
        names = ["bad"] + [f"good-{number}" for number in range(20)]
        for name in names:
            node.request("POST", "/v1/counters", {"id": name}, {"X-Customer-Id": CUSTOMER})
        good = [envelope("POST", f"/v1/counters/{name}/add", None) for name in names[1:]]
        bad = [envelope("POST", "/v1/counters/bad/fail", None)]

        def window(bodies_of_each):
            out = context.Queue()
            peers = [context.Process(target=ask, args=(node.amqp, bodies, how.rate, how.seconds, out))
                     for bodies in bodies_of_each]
            for peer in peers:
                peer.start()
            seen = [out.get(timeout=how.seconds + 90) for _ in peers]
            for peer in peers:
                peer.join(10)
            return seen

        window([good])  # warm
        alone, beside, parked_s, bad_statuses = [], [], [], {}
        for _ in range(how.pairs):
            alone.append(window([good])[0]["p99_ms"])
            seen = window([good, bad])
            fine = next(one for one in seen if set(one["statuses"]) == {200})
            other = next(one for one in seen if one is not fine)
            beside.append(fine["p99_ms"])
            if 500 in other["statuses"] and 503 in other["first"]:
                parked_s.append(other["first"][503])
            for status, count in other["statuses"].items():
                bad_statuses[status] = bad_statuses.get(status, 0) + count
        ready = node.request("GET", "/readyz", port=node.admin)[0] == 200
        code = node.stop()
    ratio = statistics.median(beside) / statistics.median(alone)
    figures = {"test": "poison", "seed": how.seed, "pairs": how.pairs, "rate": how.rate,
               "parked_s": round(parked_s[0], 3) if parked_s else None, "bad_statuses": bad_statuses,
               "p99_ms": {"alone": round(statistics.median(alone), 2), "beside": round(statistics.median(beside), 2)},
               "ratio": round(ratio, 2), "node_up": ready, "exit_code": code}
    print(json.dumps(figures))
    return 0 if ready and code == 0 and parked_s and parked_s[0] <= 10 and ratio <= how.ratio_max else 1


if __name__ == "__main__":
    sys.exit(main())

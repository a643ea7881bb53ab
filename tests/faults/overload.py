#!/usr/bin/env python3
"""Ten times more requests than the node can do (facts: G23). First the peak: a closed loop, as fast as it goes. Then an
open loop at a multiple of it, each request with a deadline, from several processes; meanwhile another process times
control messages: /readyz, a channel opened, a connection opened and closed, a message acknowledged on a quiet queue.

    tests/faults/overload.py [--seconds 120] [--times 10] [--work-ms 5] [--deadline 3] [--clients 3] [--seed 1]

--work-ms N: the work is a decision that takes N ms (tests/runtime/plugins/counter.cpp), which leaves the processor to the
clients; 0: real calls (POST /v1/calls), where clients and node share it.
Goodput: answers 200 before their deadline. Printed: one line of JSON; exit 1 if goodput < 90 % of the peak, memory grew,
a control message's p99 is over 50 ms, or a request that was refused heard of it after its deadline."""

import argparse
import json
import multiprocessing
import pathlib
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import pika  # noqa: E402
from conftest import BINARY, Node, own_mib  # noqa: E402
from rpc_load import RpcLoad, envelope, new_call, percentile  # noqa: E402

ENTITIES = 200


def client(port, service, bodies, rate, most_pending, seconds, deadline_s, start, out):
    good, late_good, shed, shed_late, statuses, took_good = [], 0, 0, 0, {}, []

    def on_answer(message_id, status, body, took):
        nonlocal late_good, shed, shed_late
        statuses[status] = statuses.get(status, 0) + 1
        in_time = took is not None and took <= deadline_s
        if status == 200:
            if in_time:
                good.append(time.monotonic())
                took_good.append(took)
            else:
                late_good += 1
        elif in_time:
            shed += 1
        else:
            shed_late += 1

    load = RpcLoad(port, service, bodies, on_answer, durable=False, deadline_s=deadline_s)
    while not load.connect():
        time.sleep(0.05)
    start.wait()
    began = time.monotonic()
    load.run(seconds, rate, most_pending, settle_s=deadline_s + 1)
    warm = began + min(5, seconds / 4)  # not the first seconds
    out.put({"good_per_s": sum(1 for at in good if warm <= at <= began + seconds) / (began + seconds - warm),
             "asked": load.asked, "late_good": late_good, "shed": shed, "shed_late": shed_late,
             "unanswered": load.given_up + len(load.pending), "statuses": statuses,
             "p50": percentile(took_good, 0.5), "p99": percentile(took_good, 0.99)})
    load.close()


def control(amqp_port, admin_port, stop, out):
    """How long control messages take, in ms, by kind."""
    taken = {"readyz": [], "channel_open": [], "connection": [], "quiet_ack": []}
    parameters = pika.ConnectionParameters("127.0.0.1", amqp_port, socket_timeout=30, blocked_connection_timeout=30)
    connection = pika.BlockingConnection(parameters)
    quiet = connection.channel()
    quiet.queue_declare("overload.quiet", durable=True, auto_delete=False)
    quiet.confirm_delivery()

    def timed(kind, what):
        began = time.monotonic()
        what()
        taken[kind].append((time.monotonic() - began) * 1000)

    def ready():
        urllib.request.urlopen(f"http://127.0.0.1:{admin_port}/readyz", timeout=30).read()

    def acknowledge():
        quiet.basic_publish("", "overload.quiet", b"x", pika.BasicProperties(delivery_mode=1))
        method, _, _ = quiet.basic_get("overload.quiet")
        quiet.basic_ack(method.delivery_tag)
        quiet.queue_declare("overload.quiet", passive=True)  # answered after the ack was taken

    while not stop.is_set():
        timed("readyz", ready)
        timed("channel_open", lambda: connection.channel().close())
        timed("connection", lambda: pika.BlockingConnection(parameters).close())
        timed("quiet_ack", acknowledge)
        time.sleep(0.05)
    out.put(taken)
    connection.close()


def run_clients(context, how, node, service, bodies, rate, most_pending, seconds):
    start, out = context.Event(), context.Queue()
    peers = [context.Process(target=client, args=(node.amqp, service, bodies[i::how.clients], rate and rate / how.clients,
                                                  most_pending and most_pending // how.clients, seconds, how.deadline,
                                                  start, out)) for i in range(how.clients)]
    for peer in peers:
        peer.start()
    time.sleep(0.5)
    start.set()
    seen = [out.get(timeout=seconds + 120) for _ in peers]
    for peer in peers:
        peer.join(10)
    total = {key: sum(one[key] for one in seen) for key in
             ("good_per_s", "asked", "late_good", "shed", "shed_late", "unanswered")}
    total["statuses"] = {}
    for one in seen:
        for status, count in one["statuses"].items():
            total["statuses"][status] = total["statuses"].get(status, 0) + count
    total["p50_ms"], total["p99_ms"] = (round(max((one[key] or 0) for one in seen) * 1000, 1) for key in ("p50", "p99"))
    total["good_per_s"] = round(total["good_per_s"], 1)
    return total


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seconds", type=float, default=120)
    asked.add_argument("--times", type=float, default=10, help="of the peak")
    asked.add_argument("--work-ms", type=int, default=5)
    asked.add_argument("--deadline", type=float, default=3, help="seconds")
    asked.add_argument("--clients", type=int, default=3)
    asked.add_argument("--share-min", type=float, default=0.9, help="of the peak that goodput must reach")
    asked.add_argument("--control-ms-max", type=float, default=50, help="p99 of each kind of control message")
    asked.add_argument("--seed", type=int, default=1, help="accepted for symmetry; nothing here is random")
    how = asked.parse_args()
    context = multiprocessing.get_context("fork")
    settings = ["log.level=warning", "node.worker_threads=2"]
    if how.work_ms:
        settings += [f"node.plugins_dir={BINARY.parent / 'test_plugins'}", "node.plugins=counter"]
    with tempfile.TemporaryDirectory() as folder:
        node = Node(pathlib.Path(folder) / "data", settings).start()
        if how.work_ms:
            service = "counter"
            for number in range(ENTITIES):
                node.request("POST", "/v1/counters", {"id": f"c-{number}"},
                             {"X-Customer-Id": "00000000-0000-4000-8000-000000000001"})
            bodies = [envelope("POST", f"/v1/counters/c-{number}/block", {"ms": how.work_ms}, deadline=True)
                      for number in range(ENTITIES)]
        else:
            service, bodies = "call", [new_call(deadline=True)] * how.clients
        try:
            peak = run_clients(context, how, node, service, bodies, None, 64 * how.clients, min(10, how.seconds))
            stop, out = context.Event(), context.Queue()
            watcher = context.Process(target=control, args=(node.amqp, node.admin, stop, out))
            memory, over = [], threading.Event()

            def sample():
                while not over.wait(0.5):
                    memory.append(own_mib(node.pid))

            watcher.start()
            sampler = threading.Thread(target=sample)
            sampler.start()
            load = run_clients(context, how, node, service, bodies, peak["good_per_s"] * how.times, None, how.seconds)
            over.set()
            sampler.join()
            stop.set()
            taken = out.get(timeout=60)
            watcher.join(10)
        finally:
            code = node.stop()
    third = max(1, len(memory) // 3)
    figures = {
        "test": "overload", "seed": how.seed, "seconds": how.seconds, "times": how.times, "work_ms": how.work_ms,
        "peak_per_s": peak["good_per_s"], "goodput_per_s": load["good_per_s"],
        "goodput_share": round(load["good_per_s"] / max(1, peak["good_per_s"]), 3), "offered_per_s": round(load["asked"] / how.seconds),
        "answered": load["statuses"], "refused_in_time": load["shed"], "refused_late": load["shed_late"],
        "done_late": load["late_good"], "unanswered": load["unanswered"], "good_p50_ms": load["p50_ms"], "good_p99_ms": load["p99_ms"],
        "memory_mib": {"first_third_max": round(max(memory[third // 2:third] or memory), 1), "last_third_max": round(max(memory[-third:]), 1)},
        "control_p99_ms": {kind: round(percentile(values, 0.99), 1) for kind, values in taken.items()},
        "control_count": {kind: len(values) for kind, values in taken.items()}, "exit_code": code,
    }
    print(json.dumps(figures))
    grew = figures["memory_mib"]["last_third_max"] > 1.2 * figures["memory_mib"]["first_third_max"] + 8
    bad = (figures["goodput_share"] < how.share_min or grew or max(figures["control_p99_ms"].values()) > how.control_ms_max or
           load["shed_late"] > load["asked"] // 1000 or code != 0)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

"""The retry schedule of seed 000, measured: 7 attempts after 0, 1, 2, 4, 8, 16, 32 s, for a pika consumer of a queue with
x-retry-… and for a service of ours whose decision fails; then exactly one dead letter each, which a replay delivers once.

--scale shortens the pika consumer's schedule (0.1: 6.3 s) and leaves the service out, whose schedule is fixed."""

import argparse
import json
import pathlib
import shutil
import sys
import tempfile
import threading
import time

import pika

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))
from conftest import BINARY, Node, until  # noqa: E402

SCHEDULE = [1, 2, 4, 8, 16, 32]
STRAY = 0.15  # of each wait, 0.10 of them are dice


def letters(node, queue):
    done = node.cli("dead-letters", "list", "--queue", queue, "--json")
    return json.loads(done.stdout)["dead_letters"]


def replay(node, queue):
    return json.loads(node.cli("dead-letters", "replay", queue, "--all", "--json").stdout)


def strays(waits, scale):
    """How far each wait is from its plan, as a share of it."""
    return [round(wait / (planned * scale) - 1, 3) for wait, planned in zip(waits, SCHEDULE)]


def by_consumer(node, scale, figures, violations):
    connection = node.pika()
    channel = connection.channel()
    channel.queue_declare("work", durable=True, arguments={
        "x-retry-min": int(1000 * scale), "x-retry-max": int(32_000 * scale), "x-retry-multiplier": 2, "x-retry-limit": 7})
    channel.confirm_delivery()
    channel.basic_publish("", "work", b"poison", pika.BasicProperties(delivery_mode=2, message_id="m-1"))
    came = []

    def on_message(ch, method, properties, body):
        came.append(time.monotonic())
        if len(came) <= 7:
            ch.basic_nack(method.delivery_tag, requeue=False)
        else:
            ch.basic_ack(method.delivery_tag)

    channel.basic_consume("work", on_message)
    end = time.monotonic() + 80 * scale + 20
    while len(came) < 7 and time.monotonic() < end:
        connection.process_data_events(0.1)
    waits = [after - before for before, after in zip(came, came[1:])]
    figures["consumer"] = {"attempts": len(came), "waits_s": [round(wait, 3) for wait in waits],
                           "strays": strays(waits, scale)}
    if len(came) != 7 or any(abs(stray) > STRAY for stray in strays(waits, scale)):
        violations.append(("schedule of the consumer", figures["consumer"]))
    found = until("the dead letter lies there", lambda: letters(node, "work"))
    if len(found) != 1 or found[0]["attempts"] != 7:
        violations.append(("dead letters of the consumer", found))
    answers = [replay(node, "work"), replay(node, "work")] if letters(node, "work") else []
    end = time.monotonic() + 2
    while time.monotonic() < end:
        connection.process_data_events(0.1)
    figures["consumer"]["after_replay"] = len(came) - 7
    if len(came) != 8 or letters(node, "work") or channel.queue_declare("work", passive=True).method.message_count:
        violations.append(("replay to the consumer", answers, len(came)))
    connection.close()


def by_service(node, figures, violations):
    connection = node.pika()
    channel = connection.channel()
    queue = "bin-manager.counter.request"

    def publish(route, body, message_id):
        envelope = {"message_id": message_id, "timestamp": "2026-01-20T12:00:00.000Z", "method": "POST", "route": route,
                    "headers": {"customer_id": "customer-1"}, "body": body}
        channel.basic_publish("", queue, json.dumps(envelope).encode(), pika.BasicProperties(delivery_mode=2))

    ready_at = time.time() + 80
    publish("/v1/counters", {"id": "c-1"}, "create")
    until("the counter is there", lambda: node.request("GET", "/v1/counters/c-1")[0] == 200)
    publish("/v1/counters/c-1/wait", {"until_ms": int(ready_at * 1000)}, "wait")
    came = []
    for _ in range(7):
        node.lines.line("an attempt fails", lambda line: "decision_failed" in line, 60)
        came.append(time.monotonic())
    waits = [after - before for before, after in zip(came, came[1:])]
    figures["service"] = {"attempts": len(came), "waits_s": [round(wait, 3) for wait in waits], "strays": strays(waits, 1)}
    if any(abs(stray) > STRAY for stray in strays(waits, 1)):
        violations.append(("schedule of the service", figures["service"]))
    found = until("the dead letter lies there", lambda: letters(node, queue))
    if len(found) != 1 or found[0]["attempts"] != 7:
        violations.append(("dead letters of the service", found))
    time.sleep(max(0, ready_at - time.time()))  # the decision is one of time
    answers = [replay(node, queue), replay(node, queue)]
    value = until("the replay is done", lambda: node.request("GET", "/v1/counters/c-1")[1]["value"])
    figures["service"]["after_replay"] = value
    if value != 1 or answers[0] != {"replayed": 1, "kept": 0} or answers[1]["replayed"] or letters(node, queue):
        violations.append(("replay to the service", answers, value))
    connection.close()


def run(directory, scale=1.0):
    """(figures, violations)."""
    settings = [f"node.plugins_dir={BINARY.parent / 'test_plugins'}", "node.plugins=counter"] if scale == 1 else []
    node = Node(pathlib.Path(directory) / "data", settings).start()
    figures, violations = {"scale": scale}, []
    try:
        beside = []
        if scale == 1:
            beside.append(threading.Thread(target=guarded, args=(violations, by_service, node, figures, violations)))
        beside.append(threading.Thread(target=guarded, args=(violations, by_consumer, node, scale, figures, violations)))
        for each in beside:
            each.start()
        for each in beside:
            each.join()
    finally:
        code = node.stop()
    if code != 0:
        violations.append(("exit code", code))
    return figures, violations


def guarded(violations, what, *arguments):
    try:
        what(*arguments)
    except Exception as why:
        violations.append((what.__name__, repr(why)))


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--scale", type=float, default=1.0)
    asked = parse.parse_args()
    directory = tempfile.mkdtemp(prefix="switchboard-faults-")
    try:
        figures, violations = run(directory, asked.scale)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(json.dumps({"retry": figures, "violations": violations}))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())

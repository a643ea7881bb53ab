"""The node's alarms: publishers are told and wait, consumers go on, pages say why, nothing is lost. RabbitMQ's words and
manners where it has them; what the disk's and the memory's long forms measure is in tests/faults."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pika
import pytest

from conftest import ROOT, SANITIZED, own_mib, until

sys.path.insert(0, str(ROOT / "tests/faults"))
import disk_full  # noqa: E402
import memory_alarm  # noqa: E402
from alarm_load import Consumer, Publisher, body_of, drained  # noqa: E402

CYCLES = int(os.environ.get("SWITCHBOARD_DISK_CYCLES", "3"))
MEMORY_S = float(os.environ.get("SWITCHBOARD_MEMORY_S", "3"))


@pytest.fixture(params=["tmpfs", "ext4"])
def kind(request):
    """A file system that can be mounted here."""
    try:
        with disk_full.volume(16, request.param):
            return request.param
    except disk_full.NoVolume as why:
        pytest.skip(f"mount is not permitted here: {why}")


@pytest.mark.parametrize("kind", ["tmpfs"], indirect=True)
def test_a_disk_that_fills_and_empties_blocks_publishers_before_it_is_full_and_loses_nothing(kind):
    figures = disk_full.in_cycles(CYCLES, kind=kind)
    assert figures["cycles"] == CYCLES
    assert figures["reasons"] == ["low on disk"]
    assert disk_full.holds(figures), figures


def test_a_full_disk_without_the_alarm_ends_the_node_with_code_1_and_a_restart_has_all_that_was_confirmed(kind):
    figures = disk_full.raw(kind=kind)
    assert disk_full.holds(figures), figures


def test_a_full_store_blocks_publishers_until_consumers_have_made_room(new_node):
    node = new_node("store.map_bytes_max=32MiB").start()
    disk_full.declare(node, "work")
    load = [Publisher(node, number, "work", 32 << 10) for number in range(4)]
    for one in load:
        one.start()
    taken = set()
    for _ in range(3):
        # On a fast disk the store itself may be full before they publish again: then they wait for their confirms.
        until("all publishers wait", lambda: all(one.waits() for one in load) and alarm_of(node) == "alarm: store")
        asking, told = watched(node)
        asking.channel().basic_publish("", "work", b"x")
        until("who publishes now is told", lambda: asking.process_data_events(0.02) or told)
        assert told == ["low on disk"]
        asking.process_data_events(0)
        counts = [len(one.confirmed) for one in load]
        consumer = Consumer(node, "work", ignored=b"x")
        consumer.start()
        until("they go on", lambda: all(len(one.confirmed) > count + one.window for one, count in zip(load, counts)))
        until("and so does that one", lambda: asking.process_data_events(0.02) or told[-1] == "unblocked")
        asking.close()
        taken |= consumer.close()
        assert not consumer.error, consumer.error
    for one in load:
        one.pause(True)
    until("all is confirmed", lambda: taken.update(drained(node, "work", 0.2, ignored=b"x")) or
          not any(one.pending for one in load))
    for one in load:
        one.close()
        assert not one.error and set(one.reasons) <= {"low on disk"}
    assert {(one.number, number) for one in load for number in one.confirmed} <= taken


def test_memory_stays_at_its_watermark_and_publishers_go_on_when_consumers_have_acknowledged():
    figures = memory_alarm.run(MEMORY_S, watermark_mib=256)
    assert figures["reasons"] == ["low on memory"]
    assert figures["lost"] == 0 and figures["unblocked_s"] <= memory_alarm.UNBLOCKED_S_MAX, figures
    if not SANITIZED:
        assert figures["share"] <= memory_alarm.SHARE_MAX, figures


@pytest.mark.parametrize("persistent", [True, False], ids=["persistent", "transient"])
def test_a_consumer_that_holds_a_deep_queue_does_not_bring_all_of_it_into_memory(new_node, persistent):
    mark_mib, count, size = 128, 4500, 64 << 10
    node = new_node(f"broker.memory_bytes_max={mark_mib}MiB", "node.plugins=call").start()
    disk_full.declare(node, "deep")
    base = own_mib(node.pid)
    publisher = Publisher(node, 1, "deep", size, persistent=persistent)
    publisher.start()
    until("more than twice the mark is in the queue", lambda: publisher.error or len(publisher.confirmed) >= count, 60)
    publisher.pause(True)
    until("all of it is confirmed", lambda: publisher.error or not publisher.pending)
    holder = Consumer(node, "deep", holds=True)
    holder.start()
    most = [own_mib(node.pid)]
    until("it holds all", lambda: holder.error or most.append(own_mib(node.pid)) or holder.count == publisher.sent, 60)
    taken = holder.close()  # its connection goes: all that it held is ready again
    again = drained(node, "deep")
    publisher.close()
    assert not publisher.error and not holder.error
    assert taken == again == {(1, number) for number in publisher.confirmed}
    if not SANITIZED:
        assert (max(most) - base) / mark_mib <= memory_alarm.SHARE_MAX, most


def alarm_of(node):
    return node.request("GET", "/readyz", port=node.admin)[1].get("reason")


# -- what is said, by an alarm that is there from the start ----------------------------------------------------------


@pytest.fixture
def short_of_disk(new_node):
    return new_node("store.disk_free_min=60TiB").start()


def watched(node):
    """A connection, and what it is told."""
    said = []
    connection = node.pika()
    connection.add_on_connection_blocked_callback(lambda _, frame: said.append(frame.method.reason))
    connection.add_on_connection_unblocked_callback(lambda _, __: said.append("unblocked"))
    return connection, said


def test_only_who_publishes_is_told_and_only_once(short_of_disk):
    publishing, told = watched(short_of_disk)
    channel = publishing.channel()
    channel.queue_declare("work", durable=True)
    taking, quiet = watched(short_of_disk)
    taking.channel().basic_consume("work", lambda *_: None)
    taking.process_data_events(0.2)
    for _ in range(5):
        channel.basic_publish("", "work", b"x")
    until("it is told", lambda: publishing.process_data_events(0.02) or told)
    publishing.process_data_events(0.5)
    taking.process_data_events(0.1)
    assert (told, quiet) == (["low on disk"], [])
    other = short_of_disk.pika().channel()
    assert other.queue_declare("work", durable=True, passive=True).method.message_count == 0


def test_pages_metrics_and_log_name_the_alarm(short_of_disk):
    node = short_of_disk
    status, body = node.request("GET", "/readyz", port=node.admin)
    assert (status, body["reason"]) == (503, "alarm: disk")
    assert node.request("GET", "/healthz", port=node.admin)[0] == 200
    _, page = node.request("GET", "/metrics", port=node.admin)
    assert 'switchboard_alarm{alarm="disk"} 1' in page and 'switchboard_alarm{alarm="memory"} 0' in page
    assert re.search(r"^switchboard_ready 0$", page, re.M)
    assert re.search(r"^switchboard_disk_free_bytes [1-9]", page, re.M)
    login = {"Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q="}
    _, (me,) = node.request("GET", "/api/nodes", port=node.admin, headers=login)
    assert (me["mem_alarm"], me["disk_free_alarm"], me["disk_free_limit"]) == (False, True, 60 << 40)
    assert 0 < me["disk_free"] < 60 << 40
    for path in ("alarms", "local-alarms"):
        status, body = node.request("GET", f"/api/health/checks/{path}", port=node.admin, headers=login)
        assert (status, body["status"], body["alarms"]) == (503, "failed", [{"node": "standalone", "resource": "disk space"}])
    assert any("alarm_raised alarm=disk" in line for line in node.lines.seen)


def test_http_takes_no_writing_request_and_reads_go_on(short_of_disk):
    node = short_of_disk
    for method in ("POST", "DELETE"):
        done = subprocess.run(["curl", "-si", "-X", method, f"http://127.0.0.1:{node.http}/v1/calls/none"],
                              capture_output=True, text=True, timeout=20)
        head = done.stdout.lower()
        assert " 503 " in head.splitlines()[0] and "retry-after: 1" in head, done.stdout
    assert node.request("GET", "/v1/calls")[0] == 200


def test_a_request_by_amqp_waits_like_any_other_publish(short_of_disk, rpc):
    asking = rpc(short_of_disk)
    told = []
    asking.connection.add_on_connection_blocked_callback(lambda _, frame: told.append(frame.method.reason))
    asking.channel.basic_publish("", "bin-manager.call.request", b"{}")
    until("it is told", lambda: asking.connection.process_data_events(0.02) or told)
    assert told == ["low on disk"]
    short_of_disk.stop()  # its close would wait behind that publish


def test_who_waits_for_confirms_is_told_on_the_next_publish_only(new_node):
    node = new_node("broker.memory_bytes_max=16MiB", "node.plugins=call").start()
    waiting, told = watched(node)
    channel = waiting.channel()
    channel.queue_declare("work")
    channel.confirm_delivery()
    channel.basic_publish("", "work", b"x")
    holder = Consumer(node, "work", holds=True, ignored=b"x")
    holder.start()
    filling, full = watched(node)
    other = filling.channel()
    while not full:
        other.basic_publish("", "work", body_of(1, 1, 1 << 20))
        filling.process_data_events(0.02)
    waiting.process_data_events(1)
    assert not told
    channel = waiting.channel()  # without confirms: nobody waits
    channel.basic_publish("", "work", b"x")
    until("it is told", lambda: waiting.process_data_events(0.02) or told)
    assert told == ["low on memory"]
    node.stop()


def test_a_blocked_connection_outlives_its_heartbeats(short_of_disk):
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", short_of_disk.amqp, heartbeat=1))
    told = []
    connection.add_on_connection_blocked_callback(lambda _, frame: told.append(frame.method.reason))
    connection.channel().basic_publish("", "nowhere", b"x")
    end = time.monotonic() + 5  # more than twice its two intervals
    while time.monotonic() < end:
        connection.process_data_events(0.1)
    assert told and connection.is_open


# -- what wakes the operator ------------------------------------------------------------------------------------------


def test_the_alert_rules_are_what_prometheus_reads_and_name_metrics_that_are_there(node):
    rules = ROOT / "config/alerts.yml"
    promtool = shutil.which("promtool")
    assert promtool, "package prometheus is missing"
    done = subprocess.run([promtool, "check", "rules", str(rules)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    _, page = node.request("GET", "/metrics", port=node.admin)
    absent_until_the_first = {"switchboard_actor_parked_total", "switchboard_dead_letters"}
    for name in set(re.findall(r"\bswitchboard_[a-z_]+", pathlib.Path(rules).read_text())) - absent_until_the_first:
        assert re.search(rf"^{name}[ {{]", page, re.M), f"{name} is on no page"

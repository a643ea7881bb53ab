"""Celery and its messaging library kombu: results, retries, times to wait for, remote control, events, a worker that dies,
priorities. As in either_broker.py, another broker may be asked (SWITCHBOARD_AMQP_PORT)."""

import importlib
import sys
import threading
import time

import kombu
import pytest

from conftest import DEADLINE_S, PEERS, Lines, until
from either_broker import OTHER


@pytest.fixture
def url(request):
    port = OTHER or request.getfixturevalue("node").amqp
    return f"pyamqp://guest:guest@127.0.0.1:{port}//"


@pytest.fixture
def tasks(url, monkeypatch):
    """The tasks' module as a client of that broker, nothing left in the queues by earlier tests."""
    monkeypatch.setenv("BROKER", url)
    monkeypatch.syspath_prepend(str(PEERS))
    sys.modules.pop("celery_tasks", None)
    module = importlib.import_module("celery_tasks")
    with kombu.Connection(url) as connection:
        for queue in module.app.conf.task_queues:
            queue(connection).delete()
    yield module
    module.app.close()


@pytest.fixture
def start_worker(url):
    """Starts a worker; all end with the test."""
    workers = []

    def start(name, *options, queues="celery-tasks"):
        worker = Lines([sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "--loglevel", "INFO", "-n", name,
                        "-Q", queues, *options],
                       env={"BROKER": url, "PYTHONPATH": str(PEERS), "C_FORCE_ROOT": "1"})
        workers.append(worker)
        worker.line(f"{name} is ready", lambda line: line.endswith("ready."))
        return worker

    yield start
    for worker in workers:
        worker.process.kill()
        worker.process.wait()


def test_tasks_run_and_their_results_come_back(tasks, start_worker):
    start_worker("one", "--pool", "threads", "--concurrency", "4")
    start_worker("two", "--pool", "threads", "--concurrency", "4")
    assert tasks.add.delay(2, 3).get(timeout=DEADLINE_S) == 5
    sent = [tasks.add.delay(n, n) for n in range(200)]
    assert [result.get(timeout=DEADLINE_S) for result in sent] == [2 * n for n in range(200)]
    chain = tasks.add.s(1, 2) | tasks.add.s(4) | tasks.add.s(8)
    assert chain.delay().get(timeout=DEADLINE_S) == 15
    assert tasks.stubborn.delay(3).get(timeout=DEADLINE_S) == 3


def test_a_task_waits_for_its_time_while_others_run(tasks, start_worker):
    """A worker that holds a task for later raises its prefetch, of consumers that run."""
    start_worker("one", "--pool", "threads", "--concurrency", "1")
    began = time.monotonic()
    later = [tasks.add.apply_async((n, 1), countdown=4) for n in range(5)]
    assert tasks.add.delay(1, 1).get(timeout=DEADLINE_S) == 2
    assert not any(result.ready() for result in later)
    assert [result.get(timeout=DEADLINE_S) for result in later] == [1, 2, 3, 4, 5]
    assert time.monotonic() - began >= 4


def test_workers_are_controlled_and_watched(tasks, start_worker):
    start_worker("one@here", "--pool", "threads", "--concurrency", "2")
    start_worker("two@here", "--pool", "threads", "--concurrency", "2")
    app = tasks.app
    assert sorted(name for answer in app.control.ping(timeout=2) for name in answer) == ["one@here", "two@here"]
    inspected = app.control.inspect(timeout=2)
    assert {queue["name"] for queues in inspected.active_queues().values() for queue in queues} == {"celery-tasks"}

    events = []
    with app.connection() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": events.append})
        watching = threading.Thread(target=receiver.capture, kwargs={"wakeup": False}, daemon=True)
        watching.start()
        until("a heartbeat of a worker", lambda: events)
        result = tasks.add.delay(20, 22)
        until("the task's event", lambda: ("task-succeeded", result.id) in [(e["type"], e.get("uuid")) for e in events])
        receiver.should_stop = True
        watching.join()
    assert result.get(timeout=DEADLINE_S) == 42

    revoked = tasks.add.apply_async((1, 1), countdown=1)
    app.control.revoke(revoked.id, reply=True, timeout=2)
    with pytest.raises(Exception, match="revoked"):
        revoked.get(timeout=DEADLINE_S)
    app.control.add_consumer("celery-extra", destination=["one@here"], reply=True, timeout=2)
    assert tasks.add.apply_async((3, 4), queue="celery-extra").get(timeout=DEADLINE_S) == 7
    app.control.cancel_consumer("celery-extra", destination=["one@here"], reply=True, timeout=2)
    app.control.shutdown(destination=["two@here"])
    until("one is alone", lambda: [*(app.control.ping(timeout=0.5) or [])] == [{"one@here": {"ok": "pong"}}])


def test_a_task_of_a_killed_worker_runs_elsewhere(tasks, start_worker, tmp_path):
    first = start_worker("one", "--pool", "solo")
    marker = tmp_path / "begun"
    result = tasks.careful.delay(str(marker))
    until("the task began", marker.exists)
    first.process.kill()
    start_worker("two", "--pool", "solo")
    assert result.get(timeout=DEADLINE_S) is True


def test_urgent_tasks_go_first(tasks, start_worker, tmp_path):
    log = tmp_path / "order"
    with kombu.Connection(tasks.app.conf.broker_url) as connection:
        tasks.app.conf.task_queues[1](connection).declare()
    for priority in (1, 9, 5, 9, 1):
        tasks.note.apply_async((str(log), str(priority)), queue="celery-urgent", priority=priority)
    start_worker("one", "--pool", "solo", queues="celery-urgent")
    until("all ran", lambda: log.exists() and len(log.read_text().split()) == 5)
    assert log.read_text().split() == ["9", "9", "5", "1", "1"]


def test_kombu_publishes_consumes_and_comes_back(url):
    port = url.rsplit(":", 1)[1]
    with kombu.Connection(f"pyamqp://127.0.0.1:1//;{url}", transport_options={"confirm_publish": True}) as connection:
        connection.ensure_connection(max_retries=3)
        assert f":{port.rstrip('/')}" in connection.as_uri()
        exchange = kombu.Exchange("kombu-topic", "topic", durable=False, auto_delete=True)
        queue = kombu.Queue("kombu-queue", exchange, routing_key="news.#", durable=False, auto_delete=True, expires=60,
                            message_ttl=30, max_length=10)
        got = []
        with kombu.Consumer(connection, [queue], callbacks=[lambda body, message: (got.append(body), message.ack())]):
            producer = kombu.Producer(connection)
            producer.publish({"n": 1}, exchange=exchange, routing_key="news.one", declare=[queue], compression="zlib")
            producer.publish({"n": 2}, exchange=exchange, routing_key="other")
            producer.publish({"n": 3}, exchange=exchange, routing_key="news.three")
            while len(got) < 2:
                connection.drain_events(timeout=DEADLINE_S)
        assert got == [{"n": 1}, {"n": 3}]
        kombu.Queue("kombu-simple")(connection.channel()).delete()
        with connection.SimpleQueue("kombu-simple") as simple:
            simple.put({"hello": "world"}, headers={"k": "v"})
            message = simple.get(timeout=DEADLINE_S)
            assert (message.payload, message.headers) == ({"hello": "world"}, {"k": "v"})
            message.reject()
        with pytest.raises(connection.channel_errors, match="NOT_FOUND - no queue 'kombu-none'"):
            kombu.Queue("kombu-none", channel=connection.channel()).queue_declare(passive=True)

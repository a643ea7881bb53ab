"""The application of a Celery worker, and of the client that sends it tasks: the test's process and the worker's import
it both. BROKER is the broker's URL. Results come by direct messages to a queue of the client's (rpc://)."""

import os
import time

import celery
import kombu

app = celery.Celery("tasks", broker=os.environ["BROKER"], backend="rpc://")
app.conf.update(
    task_default_queue="celery-tasks",
    task_queues=[kombu.Queue("celery-tasks"), kombu.Queue("celery-urgent", queue_arguments={"x-max-priority": 10})],
    worker_prefetch_multiplier=1, worker_send_task_events=True, broker_connection_retry=False,
)


@app.task
def add(x, y):
    return x + y


@app.task(bind=True, max_retries=3, default_retry_delay=0.2)
def stubborn(self, times):
    """Fails so many times; each new try is a message with a time before which it must not run."""
    if self.request.retries < times:
        raise self.retry()
    return self.request.retries


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def careful(self, marker):
    """Takes long the first time; says whether the message came again."""
    again = self.request.delivery_info["redelivered"]
    if not again:
        with open(marker, "w") as begun:
            begun.write("x")
        time.sleep(60)
    return again


@app.task
def note(path, text):
    with open(path, "a") as log:
        log.write(text + "\n")

"""Fixtures of tests that run against a node, or against another broker on this machine's port SWITCHBOARD_AMQP_PORT: which is
how they are checked against RabbitMQ. What is declared there stays, so tests delete what they declare first."""

import os

import pika
import pytest

OTHER = os.environ.get("SWITCHBOARD_AMQP_PORT")


@pytest.fixture
def connect(request):
    if not OTHER:
        return request.getfixturevalue("node").pika
    return lambda: pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", int(OTHER)))


@pytest.fixture
def channel(connect):
    connection = connect()
    yield connection.channel()
    if connection.is_open:
        connection.close()

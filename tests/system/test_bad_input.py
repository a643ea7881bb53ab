"""Bad input gets a clear error in the protocol's own way and the node serves on."""

import base64
import hashlib
import hmac
import json
import socket
import struct
import subprocess
import time

import jwt
import pika
import pytest

from conftest import BINARY, CUSTOMER, DEADLINE_S, ROOT


@pytest.fixture(autouse=True)
def the_node_serves_on(node):
    yield
    status, answer = node.request("POST", "/v1/calls", {"source": {"type": "tel", "target": "+15551234567"},
                                                        "destinations": [{"type": "tel", "target": "+15559876543"}]},
                                  headers={"X-Customer-Id": CUSTOMER})
    assert status == 200, answer


def test_unknown_route(node, rpc):
    for path in ("/v1/calls/x/y/z", "/v2/calls", "/nothing"):
        assert node.request("GET", path)[0] == 404, path
    answer = rpc(node)("call", "GET", "/v1/nothing")
    assert answer["status_code"] == 404 and answer["error"]


def test_bad_json(node, rpc):
    assert node.request("POST", "/v1/calls", raw=b"{not json")[0] == 400
    answer = json.loads(rpc(node).call("call", "", "", raw=b"{not json"))
    assert answer["status_code"] == 400


def test_oversize(node):
    assert node.request("POST", "/v1/calls", raw=b'{"x":"' + b"a" * (1 << 20) + b'"}')[0] == 413


def test_deep_json(node):
    assert node.request("POST", "/v1/calls", raw=b"[" * 100_000 + b"]" * 100_000)[0] in (400, 413)


def test_unknown_queue(node):
    channel = node.pika().channel()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
        channel.queue_declare("no-such-queue", passive=True)
    assert refused.value.reply_code == 404
    assert refused.value.reply_text == "NOT_FOUND - no queue 'no-such-queue' in vhost '/'"


def test_wrong_password(node):
    with pytest.raises(pika.exceptions.ProbableAuthenticationError) as refused:
        node.pika(password="wrong")
    assert "403" in str(refused.value) and "ACCESS_REFUSED" in str(refused.value)


def read_all(sock):
    data = b""
    try:
        while chunk := sock.recv(65536):
            data += chunk
    except ConnectionError:
        pass
    return data


def test_garbage_before_the_header(node):
    with socket.create_connection(("127.0.0.1", node.amqp), DEADLINE_S) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert read_all(sock) == b"AMQP\x00\x00\x09\x01"


def test_a_frame_longer_than_negotiated(node):
    connection = node.pika()
    raw = connection._impl._transport._sock
    raw.sendall(struct.pack(">BHI", 3, 1, 200_000) + b"x" * 200_000 + b"\xce")
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as refused:
        while True:
            connection.process_data_events(time_limit=1)
    assert refused.value.reply_code == 501
    assert "frame_too_large,200000,131064" in refused.value.reply_text


def secret(node):
    return (node.directory / "jwt.secret").read_text().strip()


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize("make", [
    pytest.param(lambda key: jwt.encode({"customer_id": CUSTOMER, "exp": int(time.time()) - 3600}, key, "HS256"), id="expired"),
    pytest.param(lambda key: jwt.encode({"customer_id": CUSTOMER, "exp": int(time.time()) + 600}, "x" * 40, "HS256"), id="forged"),
    pytest.param(lambda key: b64(b'{"alg":"none","typ":"JWT"}') + "." +
                 b64(json.dumps({"customer_id": CUSTOMER, "exp": int(time.time()) + 600}).encode()) + ".", id="alg-none"),
    pytest.param(lambda key: jwt.encode({"customer_id": CUSTOMER}, key, "HS256"), id="without-exp"),
    pytest.param(lambda key: "nonsense", id="nonsense"),
])
def test_bad_token(node, peer, make):
    token = make(secret(node))
    assert node.request("GET", "/v1/calls", headers={"Authorization": f"Bearer {token}"})[0] == 401
    refused = peer("ws_subscriber.js", node.http, token, f"customer_id:{CUSTOMER}:call:*").json_line("an answer")
    assert refused == {"refused": 401}


def test_a_good_token_of_an_independent_signer(node):
    token = jwt.encode({"customer_id": CUSTOMER, "exp": int(time.time()) + 600}, secret(node), "HS256")
    assert node.request("GET", "/v1/calls", headers={"Authorization": f"Bearer {token}"})[0] == 200


def run(*arguments):
    return subprocess.run([str(BINARY), *arguments], capture_output=True, text=True, timeout=DEADLINE_S)


def test_wrong_configuration_key(node, tmp_path):
    config = tmp_path / "wrong.toml"
    config.write_text("[amqp]\nport = 5672\nprot = 1\n")
    for verb in ("check-config", "run"):
        done = run(verb, "--config", str(config))
        assert done.returncode == 78
        assert f"{config}:3" in done.stderr and "amqp.prot" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_port_in_use(node, new_node):
    second = new_node()
    second.amqp = node.amqp
    done = subprocess.run(second.arguments(), capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 1
    assert str(node.amqp) in done.stderr and "in use" in done.stderr


def test_data_directory_in_use(node, new_node):
    second = new_node()
    second.directory = node.directory
    done = subprocess.run(second.arguments(), capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 1
    assert str(node.directory) in done.stderr


def test_wrong_usage(node):
    assert run("frobnicate").returncode == 2
    assert run("call", "show").returncode == 2

"""AMQPS and SASL EXTERNAL: pika over TLS, with certificates made by openssl for the test."""

import re
import socket
import ssl
import subprocess

import pika
import pytest

from conftest import DEADLINE_S
from test_management import put


def openssl(*words, cwd):
    subprocess.run(["openssl", *map(str, words)], cwd=cwd, check=True, capture_output=True, timeout=DEADLINE_S)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A folder with ca.pem and, signed by it, server.pem, client.pem and their keys; stranger.pem is signed by itself."""
    here = tmp_path_factory.mktemp("certificates")
    for name in ("ca", "stranger"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2, "-subj",
                f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem", cwd=here)
    for name, subject in (("server", "/CN=localhost"), ("client", "/O=Example/CN=anna")):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject, "-keyout",
                f"{name}.key", "-out", f"{name}.csr", cwd=here)
        (here / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", 2,
                "-extfile", "names", "-out", f"{name}.pem", cwd=here)
    return here


@pytest.fixture
def tls_node(new_node, certificates):
    def start(*settings):
        node = new_node("amqp.tls_port=0", f"amqp.tls_certificate_file={certificates}/server.pem",
                        f"amqp.tls_key_file={certificates}/server.key", *settings)
        node.start()
        line = next(line for line in node.lines.seen + [node.lines.line("amqps", lambda line: "amqps://" in line)]
                    if "amqps://" in line)
        node.amqps = int(re.search(r"amqps://[^:]+:(\d+)", line)[1])
        return node

    return start


def connect(node, certificates, client=None, credentials=None):
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    if client:
        context.load_cert_chain(certificates / f"{client}.pem", certificates / f"{client}.key")
    return pika.BlockingConnection(pika.ConnectionParameters(
        "127.0.0.1", node.amqps, ssl_options=pika.SSLOptions(context, "localhost"), socket_timeout=DEADLINE_S,
        credentials=credentials or pika.PlainCredentials("guest", "guest")))


def test_messages_of_every_size_pass(tls_node, certificates):
    node = tls_node()
    channel = connect(node, certificates).channel()
    channel.queue_declare("q")
    channel.confirm_delivery()
    bodies = [bytes([n % 251]) * size for n, size in enumerate((0, 1, 16383, 16384, 16385, 131064, 5_000_000))]
    for body in bodies:
        channel.basic_publish("", "q", body)
    got = []
    for method, _, body in channel.consume("q", auto_ack=True, inactivity_timeout=DEADLINE_S):
        assert method, "nothing more came"
        got.append(body)
        if len(got) == len(bodies):
            break
    assert got == bodies
    plain = node.pika().channel()
    assert plain.queue_declare("q", passive=True).method.message_count == 0


def test_external_login_by_the_subject_of_the_certificate(tls_node, certificates):
    node = tls_node(f"amqp.tls_ca_file={certificates}/ca.pem")
    external = pika.credentials.ExternalCredentials()
    with pytest.raises(pika.exceptions.AMQPConnectionError):  # there is no such user yet
        connect(node, certificates, "client", external)
    put(node, "users/CN=anna,O=Example", {"password": "", "tags": ""})
    put(node, "permissions/%2F/CN=anna,O=Example", {"configure": ".*", "write": ".*", "read": ".*"})
    channel = connect(node, certificates, "client", external).channel()
    channel.queue_declare("mine")
    with pytest.raises(pika.exceptions.AMQPConnectionError):  # no certificate
        connect(node, certificates, None, external)
    with pytest.raises(pika.exceptions.AMQPConnectionError):  # one that nobody we know has signed
        connect(node, certificates, "stranger", external)
    connect(node, certificates).close()  # a password does as well


def test_external_by_common_name_and_a_certificate_required(tls_node, certificates):
    node = tls_node(f"amqp.tls_ca_file={certificates}/ca.pem", "amqp.tls_require_client_certificate=true",
                    "amqp.tls_login_from=common_name")
    put(node, "users/anna", {"password": "", "tags": ""})
    put(node, "permissions/%2F/anna", {"configure": "", "write": "", "read": ""})
    connect(node, certificates, "client", pika.credentials.ExternalCredentials()).close()
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        connect(node, certificates)


def test_external_is_not_offered_without_tls(node):
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", node.amqp,
                                                          credentials=pika.credentials.ExternalCredentials()))


def test_noise_instead_of_a_handshake_ends_the_connection(tls_node, certificates):
    node = tls_node()
    with socket.create_connection(("127.0.0.1", node.amqps), DEADLINE_S) as raw:
        raw.sendall(b"AMQP\x00\x00\x09\x01" + b"x" * 1000)
        while raw.recv(4096):
            pass
    connect(node, certificates).close()


def test_a_bad_certificate_file_is_one_clear_line(new_node, certificates):
    node = new_node("amqp.tls_certificate_file=/nowhere.pem")
    with pytest.raises(AssertionError) as caught:
        node.start()
    assert "/nowhere.pem: " in str(caught.value)
    node.killed = True

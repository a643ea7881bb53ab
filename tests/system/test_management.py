"""RabbitMQ's management API on the admin port, users, vhosts, permissions, limits and policies: what an operator sets there, a client
of AMQP meets. rabbitmqadmin is RabbitMQ's own (Debian's rabbitmq-server ships it)."""

import base64
import glob
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pika
import pytest

from conftest import DEADLINE_S, until

RABBITMQADMIN = glob.glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins/rabbitmq_management-*/priv/www/cli/rabbitmqadmin")


def api(node, method, path, body=None, user="guest", password="guest"):
    """(status, JSON or None)."""
    request = urllib.request.Request(f"http://127.0.0.1:{node.admin}/api/{path}", method=method)
    request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
    data = None if body is None else json.dumps(body).encode()
    if data is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, data, timeout=DEADLINE_S) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        status, text = refused.code, refused.read()
    return status, json.loads(text) if text else None


def put(node, path, body, expect=(201, 204)):
    status, answer = api(node, "PUT", path, body)
    assert status in expect, (path, status, answer)


def connect(node, user="guest", password="guest", vhost="/"):
    return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", node.amqp, vhost,
                                                             pika.PlainCredentials(user, password)))


def make_user(node, name, configure=".*", write=".*", read=".*", vhost="%2F", tags=""):
    put(node, f"users/{name}", {"password": "secret", "tags": tags})
    put(node, f"permissions/{vhost}/{name}", {"configure": configure, "write": write, "read": read})


def refused(call, code, text):
    with pytest.raises(pika.exceptions.AMQPError) as caught:
        call()
    why = caught.value
    if isinstance(why, pika.exceptions.ProbableAccessDeniedError):  # what pika makes of a close before connection.open-ok
        assert f"({code}) " in str(why) and text in str(why)
    else:
        assert (why.reply_code, why.reply_text) == (code, text)


# -- who may come in ----------------------------------------------------------------------------------------------------


def test_login_is_needed_and_a_tag(node):
    assert api(node, "GET", "overview", password="wrong")[0] == 401
    put(node, "users/plain", {"password": "secret", "tags": ""})
    assert api(node, "GET", "overview", user="plain", password="secret") == (
        401, {"error": "not_authorised", "reason": "Not management user"})
    put(node, "users/plain", {"password": "secret", "tags": "management"}, expect=(204,))
    assert api(node, "GET", "whoami", user="plain", password="secret") == (200, {"name": "plain", "tags": ["management"]})
    assert api(node, "GET", "users", user="plain", password="secret")[0] == 401
    assert api(node, "PUT", "vhosts/mine", {}, user="plain", password="secret")[0] == 401


def test_users_live_through_a_restart_and_go_with_their_connections(node):
    make_user(node, "anna")
    node.kill()
    node.start()
    connection = connect(node, "anna", "secret")
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        connect(node, "anna", "guest")
    assert api(node, "DELETE", "users/anna")[0] == 204
    refused(lambda: connection.process_data_events(DEADLINE_S), 320, "CONNECTION_FORCED - user 'anna' is deleted")
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        connect(node, "anna", "secret")


def test_a_password_hash_of_rabbitmq_is_taken(node):
    put(node, "users/moved", {"password_hash": "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", "tags": "",
                              "hashing_algorithm": "rabbit_password_hashing_sha256"})
    put(node, "permissions/%2F/moved", {"configure": "", "write": "", "read": ""})
    connect(node, "moved", "test12").close()
    assert api(node, "PUT", "users/bad", {"password_hash": "xx", "tags": ""})[0] == 400
    assert api(node, "PUT", "users/bad", {"tags": ""})[0] == 400
    assert api(node, "GET", "users/bad")[0] == 404


# -- vhosts -------------------------------------------------------------------------------------------------------------


def test_vhosts_are_apart(node):
    put(node, "vhosts/one", {"description": "the first", "tags": "a,b"}, expect=(201,))
    put(node, "vhosts/two", {})
    for vhost in ("one", "two"):
        channel = connect(node, vhost=vhost).channel()
        channel.queue_declare("q", durable=True)
        channel.confirm_delivery()
        channel.basic_publish("", "q", vhost, pika.BasicProperties(delivery_mode=2))
    node.kill()
    node.start()
    assert connect(node, vhost="one").channel().basic_get("q")[2] == b"one"
    found = api(node, "GET", "vhosts/one")[1]
    assert found["description"] == "the first" and found["tags"] == ["a", "b"]
    connection = connect(node, vhost="two")
    assert api(node, "DELETE", "vhosts/two")[0] == 204
    refused(lambda: connection.process_data_events(DEADLINE_S), 320, "CONNECTION_FORCED - vhost 'two' is deleted")
    refused(lambda: connect(node, vhost="two"), 530, "NOT_ALLOWED - vhost two not found")
    put(node, "vhosts/two", {}, expect=(201,))
    refused(lambda: connect(node, vhost="two").channel().queue_declare("q", passive=True), 404,
            "NOT_FOUND - no queue 'q' in vhost 'two'")
    assert api(node, "DELETE", "vhosts/%2F")[0] == 401


def test_a_vhost_one_has_no_permission_in_is_closed(node):
    put(node, "users/anna", {"password": "secret", "tags": ""})
    refused(lambda: connect(node, "anna", "secret"), 530, "NOT_ALLOWED - access to vhost '/' refused for user 'anna'")


# -- permissions --------------------------------------------------------------------------------------------------------


def test_every_method_asks_for_its_permission(node):
    admin = connect(node).channel()
    admin.queue_declare("theirs")
    admin.exchange_declare("theirs-x", "topic")
    make_user(node, "anna", configure="^mine", write="^mine", read="^mine")
    connection = connect(node, "anna", "secret")

    def text(kind, name):
        return f"ACCESS_REFUSED - access to {kind} '{name}' in vhost '/' refused for user 'anna'"

    def check(call, kind, name):
        channel = connection.channel()
        refused(lambda: call(channel), 403, text(kind, name))

    check(lambda c: c.queue_declare("theirs"), "queue", "theirs")
    check(lambda c: c.queue_declare("mine", arguments={"x-dead-letter-exchange": "theirs-x"}), "exchange", "theirs-x")
    check(lambda c: c.queue_delete("theirs"), "queue", "theirs")
    check(lambda c: c.queue_purge("theirs"), "queue", "theirs")
    check(lambda c: c.basic_get("theirs"), "queue", "theirs")
    check(lambda c: c.basic_consume("theirs", print), "queue", "theirs")
    check(lambda c: c.exchange_declare("theirs-x", "topic"), "exchange", "theirs-x")
    check(lambda c: c.exchange_declare("mine-x", "topic", arguments={"alternate-exchange": "theirs-x"}), "exchange",
          "theirs-x")
    check(lambda c: c.exchange_delete("theirs-x"), "exchange", "theirs-x")
    check(lambda c: c.queue_bind("theirs", "mine-x"), "queue", "theirs")
    channel = connection.channel()
    channel.queue_declare("mine")
    channel.exchange_declare("mine-x", "topic")
    channel.queue_declare("theirs", passive=True)  # asking needs no permission
    check(lambda c: c.queue_bind("mine", "theirs-x", "k"), "exchange", "theirs-x")
    check(lambda c: c.queue_unbind("mine", "theirs-x", "k"), "exchange", "theirs-x")
    check(lambda c: c.exchange_bind("mine-x", "theirs-x"), "exchange", "theirs-x")
    check(lambda c: (c.basic_publish("theirs-x", "k", b""), c.queue_declare("mine", passive=True)), "exchange",
          "theirs-x")
    check(lambda c: (c.basic_publish("", "mine", b""), c.queue_declare("mine", passive=True)), "exchange", "amq.default")
    channel.queue_bind("mine", "mine-x", "k")
    channel.basic_publish("mine-x", "k", b"through")
    assert until("the message", lambda: channel.basic_get("mine")[2]) == b"through"


def test_changed_permissions_count_at_once(node):
    make_user(node, "anna")
    channel = connect(node, "anna", "secret").channel()
    channel.queue_declare("q")
    put(node, "permissions/%2F/anna", {"configure": "", "write": "", "read": ""}, expect=(204,))
    refused(lambda: channel.queue_declare("q"), 403,
            "ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'anna'")


def test_topic_permissions(node):
    make_user(node, "anna")
    put(node, "topic-permissions/%2F/anna", {"exchange": "amq.topic", "write": "^{username}\\.", "read": "^public"})
    connection = connect(node, "anna", "secret")
    channel = connection.channel()
    channel.queue_declare("q")
    channel.queue_bind("q", "amq.topic", "public.#")
    channel.basic_publish("amq.topic", "anna.x", b"")
    channel.basic_publish("amq.direct", "other.x", b"")  # not a topic exchange
    refused(lambda: channel.queue_bind("q", "amq.topic", "secret.#"), 403,
            "ACCESS_REFUSED - access to topic 'secret.#' in exchange exchange 'amq.topic' in vhost '/' refused for user "
            "'anna'")
    channel = connection.channel()
    refused(lambda: (channel.basic_publish("amq.topic", "bert.x", b""), channel.queue_declare("q", passive=True)), 403,
            "ACCESS_REFUSED - access to topic 'bert.x' in exchange exchange 'amq.topic' in vhost '/' refused for user "
            "'anna'")


# -- limits -------------------------------------------------------------------------------------------------------------


def test_limits_of_vhosts_and_users(node):
    put(node, "vhosts/small", {})
    put(node, "vhost-limits/small/max-queues", {"value": 1})
    put(node, "vhost-limits/small/max-connections", {"value": 1})
    assert api(node, "GET", "vhost-limits/small")[1] == [{"vhost": "small",
                                                          "value": {"max-connections": 1, "max-queues": 1}}]
    connection = connect(node, vhost="small")
    channel = connection.channel()
    channel.queue_declare("a")
    channel.queue_declare("a")
    refused(lambda: channel.queue_declare("b"), 406,
            "PRECONDITION_FAILED - cannot declare queue 'b': queue limit in vhost 'small' (1) is reached")
    refused(lambda: connect(node, vhost="small"), 530,
            "NOT_ALLOWED - access to vhost 'small' refused for user 'guest': connection limit (1) is reached")
    connection.close()
    until("the connection no longer counts", lambda: not api(node, "GET", "connections")[1])
    connect(node, vhost="small").close()
    make_user(node, "anna")
    put(node, "user-limits/anna/max-connections", {"value": 1})
    put(node, "user-limits/anna/max-channels", {"value": 2})
    connection = connect(node, "anna", "secret")
    refused(lambda: connect(node, "anna", "secret"), 530,
            "NOT_ALLOWED - connection refused for user 'anna': user connection limit (1) is reached")
    connection.channel(), connection.channel()
    refused(connection.channel, 530, "NOT_ALLOWED - number of channels opened for user 'anna' has reached the maximum allowed "
            "user limit of (2)")


# -- policies -----------------------------------------------------------------------------------------------------------


def test_policies_apply_to_what_is_there_and_what_comes(node):
    channel = connect(node).channel()
    channel.queue_declare("p-old")
    for number in range(5):
        channel.basic_publish("", "p-old", str(number))
    until("five messages", lambda: channel.queue_declare("p-old", passive=True).method.message_count == 5)
    put(node, "policies/%2F/short", {"pattern": "^p-", "definition": {"max-length": 2}, "apply-to": "queues"}, (201,))
    until("the queue is cut", lambda: channel.queue_declare("p-old", passive=True).method.message_count == 2)
    channel.queue_declare("p-new", durable=True)
    found = api(node, "GET", "queues/%2F/p-new")[1]
    assert found["policy"] == "short" and found["effective_policy_definition"] == {"x-max-length": 2}
    node.kill()
    node.start()
    channel = connect(node).channel()
    for number in range(5):
        channel.basic_publish("", "p-new", str(number))
    until("cut again", lambda: api(node, "GET", "queues/%2F/p-new")[1]["messages"] == 2)
    put(node, "operator-policies/%2F/bound", {"pattern": ".*", "definition": {"max-length": 1}}, (201,))
    until("bounded", lambda: api(node, "GET", "queues/%2F/p-new")[1]["messages"] == 1)
    assert api(node, "DELETE", "policies/%2F/short")[0] == 204
    assert api(node, "DELETE", "policies/%2F/short")[0] == 404
    assert api(node, "PUT", "policies/%2F/x", {"pattern": "(", "definition": {"expires": 1}})[0] == 400
    assert api(node, "PUT", "policies/%2F/x", {"pattern": "", "definition": {"colour": 1}})[0] == 400


def test_a_policy_gives_an_alternate_exchange_and_dead_letters(node):
    channel = connect(node).channel()
    for queue in ("caught", "dead"):
        channel.queue_declare(queue)
    channel.exchange_declare("lost", "fanout")
    channel.queue_bind("caught", "lost")
    channel.exchange_declare("front", "direct")
    channel.queue_declare("work")
    put(node, "policies/%2F/ae", {"pattern": "^front$", "definition": {"alternate-exchange": "lost"},
                                  "apply-to": "exchanges"})
    put(node, "policies/%2F/dl", {"pattern": "^work$", "definition": {"dead-letter-exchange": "",
                                                                      "dead-letter-routing-key": "dead"}})
    channel.basic_publish("front", "nobody", b"1")
    assert until("the alternate exchange", lambda: channel.basic_get("caught", True)[2]) == b"1"
    channel.basic_publish("", "work", b"2")
    method = until("a message", lambda: channel.basic_get("work")[0])
    channel.basic_reject(method.delivery_tag, requeue=False)
    assert until("the dead letter", lambda: channel.basic_get("dead", True)[2]) == b"2"


# -- looking and doing --------------------------------------------------------------------------------------------------


def test_connections_channels_consumers(node):
    connection = connect(node)
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_qos(prefetch_count=7)
    channel.queue_declare("q")
    tag = channel.basic_consume("q", lambda *_: None)
    one, = api(node, "GET", "connections")[1]
    assert (one["user"], one["vhost"], one["protocol"], one["channels"]) == ("guest", "/", "AMQP 0-9-1", 1)
    assert one["client_properties"]["product"] == "Pika Python Client Library"
    found, = api(node, "GET", "channels")[1]
    assert (found["number"], found["confirm"], found["prefetch_count"], found["consumer_count"]) == (1, True, 7, 1)
    consumer, = api(node, "GET", "consumers/%2F")[1]
    assert consumer["consumer_tag"] == tag and consumer["queue"] == {"name": "q", "vhost": "/"}
    assert consumer["prefetch_count"] == 7 and consumer["ack_required"] is True
    assert api(node, "GET", "channels/" + urllib.parse.quote(found["name"], safe=""))[1]["name"] == found["name"]
    assert api(node, "DELETE", "connections/" + urllib.parse.quote(one["name"], safe=""))[0] == 204
    refused(lambda: connection.process_data_events(DEADLINE_S), 320,
            "CONNECTION_FORCED - Closed via management plugin")
    until("nobody is connected", lambda: api(node, "GET", "connections")[1] == [])


def test_declare_bind_publish_get_delete(node):
    put(node, "exchanges/%2F/x", {"type": "direct"}, (201,))
    put(node, "exchanges/%2F/x", {"type": "direct"}, (204,))
    assert api(node, "PUT", "exchanges/%2F/x", {"type": "fanout"})[0] == 400
    put(node, "queues/%2F/q", {"durable": True, "arguments": {"x-max-length": 10}}, (201,))
    assert api(node, "PUT", "queues/%2F/q", {"durable": False})[0] == 400
    assert api(node, "POST", "bindings/%2F/e/x/q/q", {"routing_key": "k", "arguments": {"a": 1}})[0] == 201
    assert api(node, "POST", "bindings/%2F/e/x/q/nope", {"routing_key": "k"})[0] == 404
    bound = [b for b in api(node, "GET", "queues/%2F/q/bindings")[1] if b["source"] == "x"]
    assert bound[0]["routing_key"] == "k" and bound[0]["arguments"] == {"a": 1}
    message = {"properties": {"delivery_mode": 2, "headers": {"h": [1, "two", None]}}, "routing_key": "k",
               "payload": "hello", "payload_encoding": "string"}
    assert api(node, "POST", "exchanges/%2F/x/publish", message) == (200, {"routed": True})
    assert api(node, "POST", "exchanges/%2F/x/publish", {**message, "routing_key": "none"}) == (200, {"routed": False})
    assert api(node, "POST", "exchanges/%2F/nope/publish", message)[0] == 404
    binary = {**message, "payload": base64.b64encode(b"\xff\x00").decode(), "payload_encoding": "base64"}
    assert api(node, "POST", "exchanges/%2F/x/publish", binary)[0] == 200
    look = {"count": 5, "ackmode": "ack_requeue_true", "encoding": "auto"}
    first, second = api(node, "POST", "queues/%2F/q/get", look)[1]
    assert first["payload"] == "hello" and first["properties"]["headers"] == {"h": [1, "two", None]}
    assert first["redelivered"] is False and first["message_count"] == 1
    assert second["payload"] == "/wA=" and second["payload_encoding"] == "base64"
    taken = api(node, "POST", "queues/%2F/q/get", {**look, "ackmode": "ack_requeue_false", "truncate": 2})[1]
    assert taken[0]["payload"] == "he" and taken[0]["payload_bytes"] == 5 and taken[0]["redelivered"] is True
    until("the queue is empty", lambda: api(node, "GET", "queues/%2F/q")[1]["messages"] == 0)
    api(node, "POST", "exchanges/%2F/x/publish", message)
    assert api(node, "DELETE", "queues/%2F/q?if-empty=true")[0] == 400
    assert api(node, "DELETE", "queues/%2F/q/contents")[0] == 204
    assert api(node, "DELETE", "bindings/%2F/e/x/q/q/" + urllib.parse.quote(bound[0]["properties_key"]))[0] == 204
    assert api(node, "DELETE", "queues/%2F/q?if-empty=true")[0] == 204
    assert api(node, "DELETE", "exchanges/%2F/x")[0] == 204
    assert api(node, "GET", "queues/%2F/q")[0] == 404
    assert api(node, "GET", "exchanges/%2F/x")[0] == 404


def test_bad_requests_change_nothing(node):
    for method, path, body in [("PUT", "queues/%2F/q", [1]), ("PUT", "queues/%2F/q", {"arguments": "x"}),
                               ("PUT", "queues/%2F/q", {"durable": 7}), ("PUT", "users/u", {"password": 1, "tags": ""}),
                               ("PUT", "permissions/%2F/guest", {"configure": ".*"}),
                               ("POST", "exchanges/%2F/amq.direct/publish", {"routing_key": "k"}),
                               ("POST", "definitions", {"queues": [{"name": "q"}]})]:
        status, answer = api(node, method, path, body)
        assert status == 400, (path, status, answer)
        assert answer["reason"]
    assert api(node, "GET", "queues/%2F/q")[0] == 404
    assert api(node, "GET", "users/u")[0] == 404
    assert api(node, "GET", "queues/nope")[0] == 404
    assert api(node, "GET", "nothing-like-this")[0] == 404
    assert api(node, "PATCH", "overview")[0] == 405


def test_definitions_move_everything(node, new_node):
    second_node = new_node().start()
    put(node, "vhosts/other", {"description": "d"})
    make_user(node, "anna", tags="monitoring", vhost="other")
    put(node, "vhost-limits/other/max-queues", {"value": 9})
    put(node, "policies/other/p", {"pattern": "^q", "definition": {"message-ttl": 60000}, "priority": 3})
    put(node, "operator-policies/other/o", {"pattern": "^q", "definition": {"max-length": 5}})
    put(node, "exchanges/other/x", {"type": "topic", "durable": True})
    put(node, "queues/other/q", {"durable": True, "arguments": {"x-max-priority": 3}})
    api(node, "POST", "bindings/other/e/x/q/q", {"routing_key": "a.*"})
    exported = api(node, "GET", "definitions")[1]
    assert api(second_node, "POST", "definitions", exported)[0] == 204
    assert api(second_node, "POST", "definitions", exported)[0] == 204  # again changes nothing
    again = api(second_node, "GET", "definitions")[1]

    def order(definitions):
        return {key: sorted(value, key=json.dumps) if isinstance(value, list) else value
                for key, value in definitions.items()}

    assert order(again) == order(exported)
    connect(second_node, "anna", "secret", "other").close()


def test_lists_take_columns_sort_and_pages(node):
    for name in ("b", "a", "c"):
        put(node, f"queues/%2F/{name}", {})
    for query, wanted in [("sort=name", ["a", "b", "c"]), ("sort=name&sort_reverse=true", ["c", "b", "a"])]:
        listed = api(node, "GET", f"queues/%2F?columns=name&{query}")[1]
        assert all(list(each) == ["name"] for each in listed)
        assert [each["name"] for each in listed if len(each["name"]) == 1] == wanted
    page = api(node, "GET", "queues/%2F?page=2&page_size=1&sort=name")[1]
    assert page["page"] == 2 and page["item_count"] == 1 and page["page_count"] == page["total_count"]


@pytest.mark.skipif(not RABBITMQADMIN, reason="rabbitmqadmin is not installed")
def test_rabbitmqadmin(node):
    def admin(*words):
        done = subprocess.run(["/usr/bin/python3", RABBITMQADMIN[0], "--port", str(node.admin), "--host", "127.0.0.1", *words],
                              capture_output=True, text=True, timeout=DEADLINE_S)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    admin("declare", "vhost", "name=v")
    admin("declare", "user", "name=u", "password=p", "tags=monitoring")
    admin("declare", "permission", "vhost=v", "user=u", "configure=.*", "write=.*", "read=.*")
    for where in ((), ("-V", "v")):
        admin(*where, "declare", "exchange", "name=x", "type=topic")
        admin(*where, "declare", "queue", "name=q", 'arguments={"x-max-length":5}')
        admin(*where, "declare", "binding", "source=x", "destination=q", "routing_key=a.#")
        admin(*where, "declare", "policy", "name=p", "pattern=^q$", 'definition={"message-ttl":100000}', "priority=1")
        admin(*where, "publish", "exchange=x", "routing_key=a.b", "payload=hello")
        assert "hello" in admin(*where, "get", "queue=q", "ackmode=ack_requeue_true")
    admin("declare", "vhost_limit", "vhost=v", "name=max-queues", "value=10")
    admin("declare", "operator_policy", "name=o", "pattern=.*", 'definition={"expires":1000000}')
    for what in ("connections", "channels", "consumers", "exchanges", "queues", "bindings", "users", "vhosts", "permissions",
                 "nodes", "parameters", "policies", "operator_policies", "vhost_limits"):
        admin("list", what)
    assert "3.10.8" in admin("show", "overview")
    assert "q" in admin("-V", "v", "list", "queues", "name", "messages")
    admin("purge", "queue", "name=q")
    admin("export", str(node.directory) + ".definitions")
    admin("import", str(node.directory) + ".definitions")
    admin("delete", "binding", "source=x", "destination=q", "destination_type=queue", "properties_key=a.#")
    admin("delete", "queue", "name=q")
    admin("delete", "exchange", "name=x")
    admin("delete", "policy", "name=p")
    admin("delete", "operator_policy", "name=o")
    admin("delete", "permission", "vhost=v", "user=u")
    admin("delete", "user", "name=u")
    admin("delete", "vhost", "name=v")


ROOTS = ("bindings", "channels", "connections", "consumers", "definitions", "exchanges", "global-parameters", "nodes", "nothing",
         "operator-policies", "overview", "parameters", "permissions", "policies", "queues", "topic-permissions", "user-limits",
         "users", "vhost-limits", "vhosts", "whoami", "aliveness-test")


def test_every_method_on_every_path_is_answered(new_node):
    node = new_node().start()
    put(node, "queues/%2F/guest", {})
    for root in ROOTS:
        for rest in ("", "/%2F", "/guest", "/nothing", "/%2F/guest", "/%2F/nothing", "/%2F/e/guest", "/%2F/guest/guest/x",
                     "/%2F/e/amq.direct/q/guest", "/%2F/e/amq.direct/q/guest/x"):
            for method, body in (("POST", {}), ("PATCH", {}), ("HEAD", None), ("OPTIONS", None), ("GET", None), ("PUT", 5),
                                 ("PUT", {"name": 5, "password": 5, "pattern": 5, "configure": 5, "value": "x"})):
                try:
                    status, _ = api(node, method, root + rest, body)
                except json.JSONDecodeError:
                    status = 200  # a page that is no JSON
                assert 200 <= status < 500, (method, root + rest, body, status)
    assert api(node, "GET", "overview")[0] == api(node, "HEAD", "overview")[0] == 200
    put(node, "queues/%2F/stream", {"durable": True, "arguments": {"x-queue-type": "stream"}})
    assert api(node, "POST", "queues/%2F/stream/get", {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"})[0] == 400
    status, answer = api(node, "PUT", "users/anna", {"password": 5, "tags": ""})
    assert (status, answer["error"]) == (400, "bad_request")
    assert answer["reason"] == "a field is missing or of the wrong type: type must be string, but is number"

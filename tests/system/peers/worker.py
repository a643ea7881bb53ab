"""pika: an outside worker of a service we don't have. Serves bin-manager.<service>.request; prints a line per request.

usage: worker.py PORT SERVICE NAME [hold]     hold: takes one request, says so and never answers
"""
import json
import sys
import time

import pika

port, service, name = sys.argv[1:4]
hold = "hold" in sys.argv[4:]
queue = f"bin-manager.{service}.request"
connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", int(port)))
channel = connection.channel()
channel.queue_declare(queue, durable=True)
channel.basic_qos(prefetch_count=1)


def on_request(channel, method, properties, body):
    request = json.loads(body)
    print(json.dumps({"worker": name, "got": request["body"], "route": request["route"],
                      "redelivered": method.redelivered}), flush=True)
    if hold:
        return
    answer = {"message_id": request["message_id"], "timestamp": "2026-01-20T12:00:01.000Z", "status_code": 200,
              "body": {"served_by": name, "echo": request["body"]}, "error": None}
    channel.basic_publish("", properties.reply_to, json.dumps(answer).encode(),
                          pika.BasicProperties(correlation_id=properties.correlation_id))
    channel.basic_ack(method.delivery_tag)


channel.basic_consume(queue, on_request)
print(json.dumps({"worker": name, "ready": True}), flush=True)
channel.start_consuming()

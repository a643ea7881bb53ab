"""pyzmq: subscribes to a prefix and prints every two-frame message as a line of JSON."""
import json
import sys

import zmq

port, prefix = sys.argv[1:3]
socket = zmq.Context().socket(zmq.SUB)
monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
socket.connect(f"tcp://127.0.0.1:{port}")
socket.setsockopt(zmq.SUBSCRIBE, prefix.encode())
monitor.recv_multipart()
print(json.dumps({"connected": True}), flush=True)
while True:
    frames = socket.recv_multipart()
    print(json.dumps({"topic": frames[0].decode(), "frames": len(frames), "body": json.loads(frames[1])}), flush=True)

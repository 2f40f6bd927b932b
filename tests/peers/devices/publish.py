"""Publishes each {topic, payload or hex, retain} that comes in a line, in order: publish.py PORT."""

import json
import sys

from paho.mqtt import client as mqtt

WINDOW = 100  # QoS 1 messages under way at once

client = mqtt.Client(client_id="hearth-test-publisher")
client.max_queued_messages_set(0)
client.max_inflight_messages_set(WINDOW)
client.connect("127.0.0.1", int(sys.argv[1]))
client.loop_start()
last = None
for line in sys.stdin:
    message = json.loads(line)
    payload = bytes.fromhex(message["hex"]) if "hex" in message else message["payload"]
    last = client.publish(message["topic"], payload, qos=1, retain=message.get("retain", False))
if last is not None:
    last.wait_for_publish()  # they are sent in order
client.disconnect()
client.loop_stop()

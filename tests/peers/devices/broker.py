"""Uses a broker as paho does, with 3.1.1 and 5, and prints what came: broker.py PORT."""

import json
import sys
import threading

from paho.mqtt import client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PORT = int(sys.argv[1])
PATIENCE = 30
BULK = 2000


class Peer:
    def __init__(self, name, version, stays=False, will=None):
        options = {} if version == mqtt.MQTTv5 else {"clean_session": not stays}
        self.client = mqtt.Client(name, protocol=version, **options)
        self.client.max_queued_messages_set(0)
        self.came, self.changed = [], threading.Condition()
        self.done = {"connect": 0, "subscribe": 0}
        self.client.on_message = self.message
        self.client.on_connect = lambda *_: self.note("connect")
        self.client.on_subscribe = lambda *_: self.note("subscribe")
        if will:
            self.client.will_set(will, "gone", qos=1)
        more = {}
        if version == mqtt.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 60 if stays else 0
            more = {"clean_start": not stays, "properties": properties}
        self.client.connect("127.0.0.1", PORT, **more)
        self.client.loop_start()
        self.until(lambda: self.done["connect"])

    def note(self, what):
        with self.changed:
            self.done[what] += 1
            self.changed.notify_all()

    def message(self, _client, _data, message):
        with self.changed:
            self.came.append(message)
            self.changed.notify_all()

    def until(self, is_so):
        with self.changed:
            assert self.changed.wait_for(is_so, PATIENCE), (self.done, len(self.came))

    def subscribe(self, topic, qos):
        before = self.done["subscribe"]
        self.client.subscribe(topic, qos)
        self.until(lambda: self.done["subscribe"] > before)

    def publish(self, topic, payload, qos):
        self.client.publish(topic, payload, qos).wait_for_publish(PATIENCE)

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()


for version in (mqtt.MQTTv311, mqtt.MQTTv5):
    base = f"paho/{int(version)}"
    sender = Peer(f"sender-{int(version)}", version)
    hearer = Peer(f"hearer-{int(version)}", version, stays=True)
    hearer.subscribe(f"{base}/#", 2)
    for qos in range(3):
        sender.publish(f"{base}/level", "x", qos)
    hearer.until(lambda: len(hearer.came) == 3)
    levels = [message.qos for message in hearer.came]
    last = None
    for number in range(BULK):
        last = sender.client.publish(f"{base}/bulk", str(number), number % 3)
    last.wait_for_publish(PATIENCE)
    hearer.until(lambda: len(hearer.came) == 3 + BULK)
    bulk = len({message.payload for message in hearer.came[3:]})
    hearer.leave()
    for number in (1, 2):
        sender.publish(f"{base}/away", f"while away {number}", number)
    hearer = Peer(f"hearer-{int(version)}", version, stays=True)
    hearer.until(lambda: len(hearer.came) == 2)
    resumed = [message.payload.decode() for message in hearer.came]
    doomed = Peer(f"doomed-{int(version)}", version, will=f"{base}/will")
    doomed.client._sock_close()
    hearer.until(lambda: len(hearer.came) == 3)
    will = hearer.came[2].payload.decode()
    print(json.dumps({"levels": levels, "bulk": bulk, "resumed": resumed, "will": will}), flush=True)
    hearer.leave()
    sender.leave()

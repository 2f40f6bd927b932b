"""Measures what comes from a broker, beside mosquitto_sub, paho and aiomqtt, and prints one table.

    mqtt.py HEARTH PYTHON

HEARTH is the program, PYTHON an interpreter that has paho-mqtt and aiomqtt. mosquitto and its clients
are Debian's, with their default limits. Exits with 1 when a bound is not kept.
"""

import json
import os
import pathlib
import resource
import socket
import statistics
import subprocess
import sys
import time

from process import FOLDERS, Server, cpu, free_port, hearth_env, rss
from speak import McpHttp, wait_for

HEARTH, PYTHON = sys.argv[1:3]
TOKEN = "bench-token-0123456789abcdef"
MESSAGES = 200_000
TOPICS = 1000
RETAINED = 100_000
ROUNDS = 3
QUESTIONS = 200
# Loss shows as silence: so long after the last message a run is over.
PATIENCE = 3.0
LISTEN = pathlib.Path(__file__).with_name("listen.py")

ROWS = []


def row(what, value, unit, bound=None, at_least=False):
    ROWS.append((what, value, unit, bound, at_least))
    print(".", end="", file=sys.stderr, flush=True)


def packet(topic, payload, retain=False):
    """A PUBLISH with QoS 0 (MQTT 3.1.1, section 3.3)."""
    body = len(topic).to_bytes(2, "big") + topic + payload
    size, left = b"", len(body)
    while True:
        size += bytes([left % 128 | (128 if left > 127 else 0)])
        left //= 128
        if not left:
            return bytes([0x31 if retain else 0x30]) + size + body


def payload(number):
    text = json.dumps({"n": number, "temperature": 18 + number % 90 / 10, "state": "ON", "pad": ""})
    return (text[:-2] + "x" * (100 - len(text)) + text[-2:]).encode()


class Broker:
    """A mosquitto as it comes, for the time of a with block."""

    def __enter__(self):
        self.port = free_port()
        config = FOLDERS / f"mosquitto-{self.port}.conf"
        config.write_text(f"user root\nlistener {self.port} 127.0.0.1\nallow_anonymous true\n")
        program = next((p for p in ["/usr/sbin/mosquitto"] if os.path.exists(p)), "mosquitto")
        self.process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
        wait_for("mosquitto", self.is_open)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)

    def is_open(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def publish(self, data):
        """Sends packets and returns when the broker has read all of them."""
        with socket.create_connection(("127.0.0.1", self.port)) as to:
            to.sendall(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05bench")
            assert to.recv(4, socket.MSG_WAITALL) == b"\x20\x02\x00\x00"
            to.sendall(data + b"\xc0\x00")
            assert to.recv(2, socket.MSG_WAITALL) == b"\xd0\x00"


def hearth(broker):
    broker = f"127.0.0.1:{broker.port}"
    env = hearth_env(AUTH_TOKEN=TOKEN, DEFAULT_MQTT_BROKER=broker, MDNS="false")
    return Server([HEARTH, "serve", "--only", "mqtt"], env, TOKEN)


def ask(client, tool, **arguments):
    return client.call(tool, arguments)["structuredContent"]


def is_connected(client):
    home = ask(client, "mqtt_list_active_connections")["connections"][0]
    return home["is_connected"] and home["subscribed_topics"]


def ours(broker, data):
    """Rate, processor seconds per million, messages lost, MB."""
    with hearth(broker) as server:
        client = McpHttp(server.address, TOKEN)
        wait_for("the connection", lambda: is_connected(client))
        count = lambda: ask(client, "mqtt_get_tree", prefix="bench")["levels"]
        spent, began = cpu(server.pid), time.perf_counter()
        broker.publish(data)
        have, changed = 0, time.perf_counter()
        while have < MESSAGES and time.perf_counter() - changed < PATIENCE:
            now = sum(level["messages"] for level in count())
            if now != have:
                have, changed = now, time.perf_counter()
            time.sleep(0.05)
        spent = cpu(server.pid) - spent
        return MESSAGES / (changed - began), spent * 1e6 / MESSAGES, MESSAGES - have, rss(server.pid)


def theirs(broker, data, command):
    """The same of a program that says 'ready', and at its end when it heard the last and how many."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n", command
    began = time.time()
    broker.publish(data)
    last, have, memory = process.stdout.readline().split()
    process.wait(timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rate = int(have) / (float(last) - began)
    return rate, spent * 1e6 / max(int(have), 1), MESSAGES - int(have), float(memory)


def ingest():
    data = b"".join(
        packet(b"bench/room%d/sensor%d" % (n % 50, n % TOPICS), payload(n)) for n in range(MESSAGES)
    )
    found = {}
    for _ in range(ROUNDS):
        # In turn, so that a busy machine touches all alike.
        for name in ["hearth", "mosquitto_sub", "paho", "aiomqtt"]:
            with Broker() as broker:
                if name == "hearth":
                    got = ours(broker, data)
                else:
                    own = [PYTHON, str(LISTEN), name, str(broker.port), str(MESSAGES), str(PATIENCE)]
                    got = theirs(broker, data, own)
                found.setdefault(name, []).append(got)
    best = {}
    for name, all_got in found.items():
        rate = max(got[0] for got in all_got)
        spent = min(got[1] for got in all_got)
        lost = max(got[2] for got in all_got)
        memory = max(got[3] for got in all_got)
        best[name] = (rate, spent)
        row(f"{name}: messages a second", rate / 1e3, "k/s")
        row(f"{name}: processor time per million", spent, "s")
        bound = 0 if name == "hearth" else None
        row(f"{name}: lost of {MESSAGES}, worst", lost, "", bound)
        row(f"{name}: resident", memory, "MB")
    (rate, spent), sub, aio = best["hearth"], best["mosquitto_sub"], best["aiomqtt"]
    row("rate, of mosquitto_sub's", rate / sub[0], "x", 1.0, True)
    row("processor time, of mosquitto_sub's", spent / sub[1], "x", 1.0)
    row("rate, of aiomqtt's", rate / aio[0], "x", 10, True)
    row("processor time, of aiomqtt's", spent / aio[1], "x", 0.05)


def retained():
    with Broker() as broker:
        topic = "homeassistant/sensor/device{}/entity{}/config"
        data = b"".join(
            packet(topic.format(n // 10, n % 10).encode(), payload(n), True) for n in range(RETAINED)
        )
        broker.publish(data)
        del data
        with hearth(broker) as server:
            client = McpHttp(server.address, TOKEN)
            everything = {"pattern": "homeassistant/#"}
            have, changed = 0, time.perf_counter()
            while have < RETAINED and time.perf_counter() - changed < PATIENCE:
                now = ask(client, "mqtt_list_topics", **everything)["topic_count"]
                if now != have:
                    have, changed = now, time.perf_counter()
            row(f"{RETAINED} retained topics, from the start", changed - server.began, "s", 1.2)
            row("missing of them", RETAINED - have, "", 0)
            row("resident then", rss(server.pid), "MB", 64)
            for name, tool, arguments in [
                ("list of one level of 10", "mqtt_list_topics", {"pattern": "homeassistant/+/device777/#"}),
                ("list of all topics", "mqtt_list_topics", everything),
                ("last of one topic", "mqtt_get_last", {"topic": topic.format(777, 7)}),
            ]:
                took = []
                for _ in range(QUESTIONS):
                    began = time.perf_counter()
                    ask(client, tool, **arguments)
                    took.append(time.perf_counter() - began)
                row(f"{name}, p95", statistics.quantiles(took, n=20)[18] * 1e3, "ms", 20)


def table():
    print(f"\n\n{'':44} {'measured':>14}  {'bound':>12}")
    has_missed = False
    for what, value, unit, bound, at_least in ROWS:
        allowed = word = ""
        if bound is not None:
            allowed = f"{'>=' if at_least else '<='} {bound:g} {unit}"
            if value < bound if at_least else value > bound:
                has_missed, word = True, "  MISSED"
        print(f"{what:44} {value:>10.2f} {unit:<3}  {allowed:>12}{word}")
    return has_missed


if __name__ == "__main__":
    ingest()
    retained()
    sys.exit(1 if table() else 0)

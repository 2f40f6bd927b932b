"""Counts the messages of a broker with a client of others, to be measured beside Hearth.

    listen.py CLIENT PORT COUNT PATIENCE

Says 'ready' when it is subscribed, and at its end the time of the last message (seconds since 1970),
how many there were, and its largest resident memory in MB. Ends after COUNT messages, or after PATIENCE
seconds without one.
"""

import asyncio
import resource
import select
import subprocess
import sys
import threading
import time

CLIENT, PORT, COUNT, PATIENCE = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
FILTER = "bench/#"


class Tally:
    def __init__(self):
        self.count, self.last = 0, time.time()

    def take(self, *_):
        self.count += 1
        if self.count % 1000 == 0 or self.count >= COUNT:
            self.last = time.time()

    def is_over(self):
        return self.count >= COUNT or (self.count and time.time() - self.last > PATIENCE)


def end(count, last, memory):
    print(last, count, memory / 1000, flush=True)


def paho():
    import paho.mqtt.client as mqtt

    tally = Tally()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_message = tally.take
    client.on_connect = lambda *_: client.subscribe(FILTER)
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.connect("127.0.0.1", PORT)
    while not tally.is_over():
        client.loop(0.1)
    end(tally.count, tally.last, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


async def aiomqtt():
    import aiomqtt

    tally = Tally()
    async with aiomqtt.Client("127.0.0.1", PORT) as client:
        await client.subscribe(FILTER)
        print("ready", flush=True)

        async def read():
            async for _ in client.messages:
                tally.take()
                if tally.count >= COUNT:
                    return

        task = asyncio.ensure_future(read())
        while not tally.is_over():
            await asyncio.sleep(0.1)
        task.cancel()
    end(tally.count, tally.last, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def mosquitto_sub():
    """Debian's client, by the lines that it prints."""
    command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(PORT), "-t", FILTER]
    # It does not say when it is subscribed; a message of our own shows it.
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        ready = threading.Event()

        def knock():
            knocker = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(PORT), "-t", "bench/knock"]
            while not ready.is_set():
                subprocess.run([*knocker, "-m", "knock"], check=True)
                ready.wait(0.05)

        thread = threading.Thread(target=knock)
        thread.start()
        process.stdout.readline()
        ready.set()
        thread.join()
        print("ready", flush=True)
        lines, last = 0, time.time()
        reader = process.stdout
        while lines < COUNT and select.select([reader], [], [], PATIENCE)[0]:
            part = reader.read1(1 << 20)
            lines += part.count(b"\n") - part.count(b"knock\n")
            last = time.time()
        process.terminate()
        process.wait()
    end(lines, last, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


if CLIENT == "paho":
    paho()
elif CLIENT == "aiomqtt":
    asyncio.run(aiomqtt())
else:
    mosquitto_sub()

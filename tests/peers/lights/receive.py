"""Receives light and prints what it gets, a line of JSON each, until standard input ends.

receive.py sacn PORT INTERFACE UNIVERSE...   E1.31; INTERFACE is where groups are joined, or -
receive.py artnet PORT UNIVERSE...           Art-Net
"""

import json
import sys
import threading


def say(**what):
    with LOCK:
        print(json.dumps(what), flush=True)


LOCK = threading.Lock()


def sacn(port, interface, *universes):
    from sacn import sACNreceiver

    receiver = sACNreceiver("127.0.0.1" if interface == "-" else interface, int(port))

    def availability(universe, changed):
        say(universe=universe, availability=changed)

    receiver.register_listener("availability", availability)
    for universe in map(int, universes):

        def dmx(packet):
            say(
                universe=packet.universe,
                data=list(packet.dmxData),
                priority=packet.priority,
                source=packet.sourceName,
                id=list(packet.cid),
            )

        receiver.register_listener("universe", dmx, universe=universe)
        if interface != "-":
            receiver.join_multicast(universe)
    receiver.start()
    return receiver.stop


def artnet(port, *universes):
    from stupidArtnet import StupidArtnetServer

    # Nobody else on this machine may be sent to, so it binds a port of its own.
    server = StupidArtnetServer(port=int(port))
    def tell(universe):
        # It counts the parameters of what it calls.
        return lambda data: say(universe=universe, data=data)

    for universe in map(int, universes):
        server.register_listener(universe, callback_function=tell(universe))
    while True:
        # Its thread binds some time after it was made.
        try:
            if server.socket_server.getsockname()[1] == int(port):
                return lambda: None
        except (AttributeError, OSError):
            pass
        threading.Event().wait(0.01)


def main():
    kind, *rest = sys.argv[1:]
    stop = {"sacn": sacn, "artnet": artnet}[kind](*rest)
    say(ready=True)
    sys.stdin.read()
    stop()


main()

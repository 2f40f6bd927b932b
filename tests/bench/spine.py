"""Measures the spine and prints one table: what, how much, what is allowed, and by how much it is met.

    spine.py HEARTH PYTHON

HEARTH is the program, PYTHON an interpreter that has FastMCP. HEARTH_TEST_HA names the env file of
a running Home Assistant (HA_URL, HA_TOKEN); what is measured there is put back. Exits with 1 when
a bound is not kept.
"""

import os
import pathlib
import select
import statistics
import sys
import time

import process
from process import Server, by_pipes, cpu, hearth_env, idle_rss
from speak import House, McpHttp, wait_for

HEARTH, PYTHON = sys.argv[1:3]
PEER = [PYTHON, str(pathlib.Path(__file__).with_name("hello.py"))]
TOKEN = "bench-token-0123456789abcdef"
STARTS = 15  # starts of hearth; FastMCP, which takes seconds, gets fewer
PEER_STARTS = 4
CALLS = 3000
CHANGES = 300
NOTICES = 1000
SETTLED = 5  # seconds without work before memory counts as idle
EXTRA = 2000
# An entity of the demo house; a lamp and a number of the real one.
CACHED = "sensor.living_room_temperature"
LAMP = "light.kitchen_lights"
LEVEL = "input_number.target_level"

ROWS = []


def row(what, value, unit, bound=None, is_ratio=False):
    """Notes a line of the table; a bound is the most that is allowed."""
    ROWS.append((what, value, unit, bound, is_ratio))
    print(".", end="", file=sys.stderr, flush=True)


def median(values):
    return statistics.median(values)


def p95(values):
    return statistics.quantiles(values, n=20)[18]


def demo(**more):
    return Server([HEARTH, "demo"], hearth_env(AUTH_TOKEN=TOKEN, **more), TOKEN)


def starts():
    """Start to first tools/list: by pipes and over HTTP, beside FastMCP."""
    ours = [by_pipes([HEARTH, "mcp", "--demo"], hearth_env()) for _ in range(STARTS)]
    theirs = [by_pipes(PEER, dict(os.environ)) for _ in range(PEER_STARTS)]
    part = lambda runs, name: median([run[name] for run in runs])
    row("stdio start to tools/list, CPU", part(ours, "cpu") * 1e3, "ms", 20)
    row("stdio start to tools/list, wall", part(ours, "wall") * 1e3, "ms")
    row("  FastMCP, CPU", part(theirs, "cpu") * 1e3, "ms")
    row("  FastMCP, wall", part(theirs, "wall") * 1e3, "ms")
    row("  hearth / FastMCP, CPU", part(ours, "cpu") / part(theirs, "cpu"), "", 1 / 100, True)
    row("  hearth / FastMCP, wall", part(ours, "wall") / part(theirs, "wall"), "", 1 / 100, True)
    row("stdio RSS after tools/list", part(ours, "rss"), "MB")
    row("  FastMCP", part(theirs, "rss"), "MB")
    row("  hearth / FastMCP", part(ours, "rss") / part(theirs, "rss"), "", 1 / 8, True)
    over_http = []
    for _ in range(STARTS):
        with demo() as server:
            over_http.append(server.first_list())
    row("HTTP start to tools/list, CPU", part(over_http, "cpu") * 1e3, "ms", 20)
    row("HTTP start to tools/list, wall", part(over_http, "wall") * 1e3, "ms")


def memory():
    """Idle memory: the demo house, and 2,000 entities more."""
    with demo() as server:
        wait_for("readiness", server.is_ready)
        McpHttp(server.address, TOKEN).ask("tools/list")
        plain = idle_rss(server.pid, SETTLED)
    with demo(HEARTH_DEMO_EXTRA=str(EXTRA)) as server:
        wait_for("readiness", server.is_ready)
        McpHttp(server.address, TOKEN).ask("tools/list")
        large = idle_rss(server.pid, SETTLED)
        began, spent = time.perf_counter(), process.ticks(server.pid)
        time.sleep(SETTLED)
        idle = (process.ticks(server.pid) - spent) / (time.perf_counter() - began)
    row("idle RSS with the demo house", plain, "MB", 10)
    row(f"{EXTRA} entities more", large - plain, "MB", 6)
    row(f"idle CPU with {EXTRA} entities more", idle * 100, "%")


def many(client, name, arguments, pid):
    """Calls a tool many times; returns seconds of each and processor seconds of one."""
    for _ in range(200):
        client.call(name, arguments)
    spent, times = cpu(pid), []
    for _ in range(CALLS):
        began = time.perf_counter()
        client.call(name, arguments)
        times.append(time.perf_counter() - began)
    return times, (cpu(pid) - spent) / CALLS


def calls():
    """A cached read over HTTP, beside FastMCP's hello."""
    with demo() as server:
        wait_for("readiness", server.is_ready)
        client = McpHttp(server.address, TOKEN)
        ours, our_cpu = many(client, "home_get", {"entity_ids": [CACHED]}, server.pid)
        our_rss = process.rss(server.pid)
    port = process.free_port()
    with Server([*PEER, str(port)], dict(os.environ), port=port) as server:
        client = McpHttp(server.address)
        theirs, their_cpu = many(client, "hello", {"name": "you"}, server.pid)
        their_rss = process.rss(server.pid)
    row("home_get over HTTP, p50", median(ours) * 1e3, "ms", 0.5)
    row("home_get over HTTP, p95", p95(ours) * 1e3, "ms")
    row("  FastMCP's hello, p50", median(theirs) * 1e3, "ms")
    row("CPU per call", our_cpu * 1e6, "us")
    row("  FastMCP's hello", their_cpu * 1e6, "us")
    row("  hearth / FastMCP", our_cpu / their_cpu, "", 1 / 8, True)
    row(f"HTTP RSS after {CALLS} calls", our_rss, "MB")
    row("  FastMCP", their_rss, "MB")
    row("  hearth / FastMCP", our_rss / their_rss, "", 1 / 8, True)


class Real:
    """The real Home Assistant of the tests."""

    def __init__(self, path):
        lines = pathlib.Path(path).read_text().splitlines()
        values = dict(line.split("=", 1) for line in lines if "=" in line)
        self.url, self.token = values["HA_URL"], values["HA_TOKEN"]
        self.house = House(self.url, self.token)

    def serve(self):
        env = hearth_env(AUTH_TOKEN=TOKEN, HASS_HOST=self.url, HASS_TOKEN=self.token)
        return Server([HEARTH, "serve"], env, TOKEN)

    def state(self, entity):
        states = self.house.result("get_states")
        return next(state for state in states if state["entity_id"] == entity)

    def call(self, service, entity, **data):
        domain, name = service.split(".")
        return {
            "domain": domain,
            "service": name,
            "service_data": data,
            "target": {"entity_id": entity},
        }


def by_socket(house, watched, call):
    """Home Assistant's own call, until both its answer and its state event are there."""
    began = time.perf_counter()
    number, has_answer, has_event = house.command("call_service", **call), False, False
    while not (has_answer and has_event):
        for got in house.read():
            has_answer |= got.get("id") == number
            has_event |= got.get("id") == watched and got["type"] == "event"
    return time.perf_counter() - began


def real_calls(real):
    """home_call beside Home Assistant's own call with its state event, in turns."""
    before = real.state(LAMP)
    house = House(real.url, real.token)
    watched = house.watch(LAMP)
    with real.serve() as server:
        wait_for("readiness", server.is_ready)
        client = McpHttp(server.address, TOKEN)
        ours, theirs = [], []
        for turn in range(CHANGES):
            call = real.call("light.turn_on", LAMP, brightness=100 + turn % 2)
            theirs.append(by_socket(house, watched, call))
            data = {"brightness": 150 + turn % 2}
            began = time.perf_counter()
            answer = client.call(
                "home_call",
                {"service": "light.turn_on", "target": {"entity_id": [LAMP]}, "data": data},
            )
            ours.append(time.perf_counter() - began)
            # What this one caused must not end the wait of the next.
            while not any(got.get("id") == watched for got in house.read()):
                pass
        assert "verified" in str(answer), answer
    put_back(real, before)
    row("home_call, real Home Assistant, p50", median(ours) * 1e3, "ms")
    row("  HA's own call and state event, p50", median(theirs) * 1e3, "ms")
    row("  home_call - HA's own", (median(ours) - median(theirs)) * 1e3, "ms", 0.5)


def put_back(real, before):
    look = before["attributes"]
    if before["state"] != "on":
        call = real.call("light.turn_off", LAMP)
    else:
        call = real.call("light.turn_on", LAMP, brightness=look["brightness"])
    real.house.result("call_service", **call)


def notices(real):
    """From Home Assistant's event to the MCP notice, one process reading both sockets."""
    before = real.state(LEVEL)["state"]
    house, actor = House(real.url, real.token), House(real.url, real.token)
    watched = house.watch(LEVEL)
    uri, late = f"home://home/entity/{LEVEL}", []
    with real.serve() as server:
        wait_for("readiness", server.is_ready)
        client = McpHttp(server.address, TOKEN)
        stream = client.stream()
        client.ask("resources/subscribe", uri=uri)
        for turn in range(NOTICES):
            value = 40 + turn % 2
            actor.command("call_service", **real.call("input_number.set_value", LEVEL, value=value))
            late.append(one_notice(house, watched, stream, uri))
            while not any(got.get("id") == actor.number for got in actor.read()):
                pass
    call = real.call("input_number.set_value", LEVEL, value=float(before))
    real.house.result("call_service", **call)
    row(f"notice after HA's event, {NOTICES} events, p50", median(late) * 1e3, "ms")
    row(f"notice after HA's event, {NOTICES} events, p95", p95(late) * 1e3, "ms", 5)


def one_notice(house, watched, stream, uri):
    """Seconds from the event on the one socket to the notice on the other; the notice may well be
    the first to be read, then they are negative."""
    event = notice = None
    while event is None or notice is None:
        ready, _, _ = select.select([house, stream], [], [], 60)
        if not ready:
            raise TimeoutError(f"event {event}, notice {notice}")
        now = time.perf_counter()
        if house in ready and any(got.get("id") == watched for got in house.read()):
            event = event or now
        if stream in ready and uri.encode() in stream.chunk():
            notice = notice or now
    return notice - event


def size():
    row("binary", os.path.getsize(HEARTH) / 1e6, "MB", 6)


def table():
    print(f"\n\n{'':44} {'measured':>14}  {'allowed':>12}  {'used':>6}")
    has_missed = False
    for what, value, unit, bound, is_ratio in ROWS:
        shown = f"1/{1 / value:.0f}" if is_ratio else f"{value:.2f} {unit}"
        allowed = used = word = ""
        if bound is not None:
            allowed = f"1/{1 / bound:.0f}" if is_ratio else f"{bound:g} {unit}"
            used = f"{value / bound * 100:.0f} %"
            if value > bound:
                has_missed, word = True, "  MISSED"
        print(f"{what:44} {shown:>14}  {allowed:>12}  {used:>6}{word}")
    return has_missed


def main():
    starts()
    memory()
    calls()
    path = os.environ.get("HEARTH_TEST_HA")
    if path:
        real = Real(path)
        real_calls(real)
        notices(real)
    size()
    has_missed = table()
    if not path:
        print("left out: what needs a real Home Assistant (HEARTH_TEST_HA names none)")
    sys.exit(1 if has_missed else 0)


if __name__ == "__main__":
    main()

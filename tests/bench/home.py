"""Measures what an assistant does with a house, operation by operation, beside other servers.

    home.py HEARTH [PEER]

HEARTH is the program; PEER the folder that scripts/peer prints, without which hass-mcp is left out.
HEARTH_TEST_HA names the env file of a running Home Assistant, whose own MCP server is the third. All
see the same house, one after the other. Bytes are those of the text that an assistant reads; CPU is
that of the server and, apart from it, what the call costs Home Assistant. The lamp that is switched is
put back. Prints a table in Markdown.
"""

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

from process import cpu, hearth_env, rss
from speak import House, McpHttp, McpPipes, hello, message

ROOT = pathlib.Path(__file__).resolve().parents[2]
CALLS = 50
STARTS = 5
LAMP = "light.kitchen_lights"
NAME = "Kitchen Lights"

# What is asked: the words of the table, then tool and arguments for each server; None where a server
# has nothing of the kind. All of a list is what the server gives at once, so bytes differ by that too.
OPERATIONS = [
    (
        "read one light",
        ("home_get", {"entity_ids": [LAMP]}),
        ("get_entity", {"entity_id": LAMP}),
        ("homeassistant__GetLiveContext", {"name": NAME}),
    ),
    (
        "list the lights",
        ("home_find", {"domain": "light"}),
        ("list_entities", {"domain": "light"}),
        ("homeassistant__GetLiveContext", {"domain": "light"}),
    ),
    (
        "the whole house at a glance",
        ("home_overview", {}),
        ("system_overview", {}),
        ("homeassistant__GetLiveContext", {}),
    ),
    (
        "list everything (first page)",
        ("home_find", {}),
        ("list_entities", {}),
        None,
    ),
    (
        "search “kitchen”",
        ("home_find", {"query": "kitchen"}),
        ("search_entities_tool", {"query": "kitchen"}),
        ("search__search", {"query": "kitchen"}),
    ),
    (
        "turn on a light",
        ("home_call", {"service": "light.turn_on", "target": {"entity_id": LAMP}}),
        ("entity_action", {"entity_id": LAMP, "action": "on"}),
        (
            "homeassistant__call_action",
            {"action": "light.turn_on", "target": {"entity_id": [LAMP]}},
        ),
    ),
    (
        "a light's last hour",
        ("home_history", {"entity_ids": [LAMP], "start": "1h"}),
        ("get_history", {"entity_id": LAMP, "hours": 1}),
        None,
    ),
    (
        "render a template",
        ("home_template", {"template": "{{ states.light | count }}"}),
        None,
        ("homeassistant__render_template", {"template": "{{ states.light | count }}"}),
    ),
]


class Piped:
    """A server that is a program of its own, asked through its pipes."""

    def __init__(self, command, env):
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
        )
        self.pid, self.pipes, self.number = self.process.pid, McpPipes(self.process), 2
        self.pipes.ask(hello(1))
        self.pipes.send(message("notifications/initialized"))
        self.tools = self.pipes.ask(message("tools/list", 2))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=30)

    def call(self, name, arguments):
        self.number += 1
        return self.pipes.ask(message("tools/call", self.number, name=name, arguments=arguments))


class Inside:
    """Home Assistant's own server, asked over HTTP."""

    def __init__(self, values):
        host, port = values["HA_URL"].split("://")[1].rstrip("/").split(":")
        self.mcp = McpHttp((host, int(port)), values["HA_TOKEN"], "/api/mcp")
        self.pid, self.tools = None, self.mcp.ask("tools/list")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def call(self, name, arguments):
        return self.mcp.ask("tools/call", name=name, arguments=arguments)


def text_of(result):
    """What an assistant reads of an answer."""
    if result.get("isError"):
        raise RuntimeError(f"a call failed: {result['content']}")
    return "".join(part.get("text", "") for part in result["content"])


def measure(server, house_pid, asked):
    """Bytes, milliseconds in the middle, and CPU of one call in both processes."""
    name, arguments = asked
    for _ in range(5):
        answer = server.call(name, arguments)
    size, times = len(text_of(answer).encode()), []
    own, theirs = server.pid and cpu(server.pid), cpu(house_pid)
    for _ in range(CALLS):
        began = time.perf_counter()
        server.call(name, arguments)
        times.append(time.perf_counter() - began)
    own = server.pid and (cpu(server.pid) - own) / CALLS * 1e3
    theirs = (cpu(house_pid) - theirs) / CALLS * 1e3
    return size, statistics.median(times) * 1e3, own, theirs


def starts(start):
    """Median seconds and CPU from the start of the program to its list of tools, and memory then."""
    runs = []
    for _ in range(STARTS):
        began = time.perf_counter()
        with start() as server:
            runs.append((time.perf_counter() - began, cpu(server.pid), rss(server.pid)))
    return [statistics.median(run[part] for run in runs) for part in range(3)]


def cell(measured):
    if measured is None:
        return "–"
    size, wall, own, theirs = measured
    own = "" if own is None else f"{own:.2f} + "
    return f"{size:,} B, {wall:.1f} ms, {own}{theirs:.1f} ms"


def rows_of(name, start, house_pid, column, is_program):
    """A column of the table for one server: its words by operation."""
    cells = {}
    if is_program:
        wall, spent, _ = starts(start)
        cells["start to list of tools"] = f"{wall * 1e3:.0f} ms, {spent * 1e3:.0f} ms CPU"
    with start() as server:
        tools = server.tools["tools"]
        size = len(json.dumps(server.tools, ensure_ascii=False, separators=(",", ":")).encode())
        cells["list of tools"] = f"{len(tools)}, {size:,} B"
        for operation in OPERATIONS:
            asked = operation[column]
            cells[operation[0]] = cell(asked and measure(server, house_pid, asked))
        if is_program:
            cells["memory after that"] = f"{rss(server.pid):.0f} MB"
    print(f"{name} is done", file=sys.stderr)
    return cells


def restore(house, before):
    """Puts the lamp back."""
    fields = {"brightness": before["attributes"].get("brightness")}
    call = {
        "domain": "light",
        "service": "turn_on" if before["state"] == "on" else "turn_off",
        "service_data": fields if before["state"] == "on" else {},
        "target": {"entity_id": LAMP},
    }
    house.result("call_service", **call)


def main():
    hearth, peer = sys.argv[1], (sys.argv[2:] or [None])[0]
    lines = pathlib.Path(os.environ["HEARTH_TEST_HA"]).read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    house_pid = int(values["HA_PID"])
    house = House(values["HA_URL"], values["HA_TOKEN"])
    states = house.result("get_states")
    before = next(state for state in states if state["entity_id"] == LAMP)
    env = hearth_env(HASS_HOST=values["HA_URL"], HASS_TOKEN=values["HA_TOKEN"])
    # All tools, as the others give them to whoever asks.
    folder = pathlib.Path(env["DATA_DIR"])
    folder.mkdir()
    (folder / "hearth.toml").write_text('[policy]\nlocal_level = "admin"\n')
    ours = lambda: Piped([hearth, "mcp"], env)
    columns = [("Hearth", rows_of("Hearth", ours, house_pid, 1, True))]
    if peer:
        command = [str(ROOT / "scripts/ha"), "python", peer]
        command += [f"HA_URL={values['HA_URL']}", f"HA_TOKEN={values['HA_TOKEN']}"]
        command += ["/opt/venv/bin/hass-mcp"]
        theirs = lambda: Piped(command, dict(os.environ))
        pins = (ROOT / "tests/bench/peer.txt").read_text()
        version = re.search(r"^hass-mcp==(.*)$", pins, re.M).group(1)
        name = f"hass-mcp {version}"
        columns.append((name, rows_of(name, theirs, house_pid, 2, True)))
    name = f"Home Assistant {values['HA_VERSION']} itself"
    columns.append((name, rows_of(name, lambda: Inside(values), house_pid, 3, False)))
    # A new socket: Home Assistant has closed the one that nobody read from meanwhile.
    restore(House(values["HA_URL"], values["HA_TOKEN"]), before)
    print(f"\nOn a house of {len(states)} entities; CPU of the server + of Home Assistant.\n")
    print("| | " + " | ".join(name for name, _ in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for what in columns[0][1]:
        print(f"| {what} | " + " | ".join(cells.get(what, "–") for _, cells in columns) + " |")


if __name__ == "__main__":
    main()

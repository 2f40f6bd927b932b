"""Makes a house that tests can rely on out of a Home Assistant that has just been started.

    seed.py URL PROCESS_ID

Waits until it answers, creates the owner, writes a long-lived token to the file `token` beside
this script and furnishes the house: a floor, areas, a label, helpers, one automation, one script,
one scene, a to-do list, a calendar and Home Assistant's own MCP server. Any step that Home
Assistant refuses ends the seed with its words.
"""

import asyncio
import os
import pathlib
import sys
import time

import aiohttp

PATIENCE = 180  # seconds, for a first start on a slow machine
HELPERS = [
    ("input_boolean", {"name": "Guest mode"}),
    ("input_number", {"name": "Target level", "min": 0, "max": 100, "step": 1, "mode": "slider"}),
    ("input_select", {"name": "House mode", "options": ["home", "away", "night"]}),
    ("counter", {"name": "Door opened"}),
    ("timer", {"name": "Laundry", "duration": "00:10:00"}),
]
PLACES = {
    "light.kitchen_lights": "Kitchen",
    "light.ceiling_lights": "Living Room",
    "climate.hvac": "Living Room",
    "light.bed_light": "Bedroom",
}
EDITED = [
    (
        "automation/config/seed_guest",
        {
            "alias": "Guest mode lights",
            "triggers": [
                {"trigger": "state", "entity_id": "input_boolean.guest_mode", "to": "on"}
            ],
            "conditions": [],
            "actions": [
                {"action": "light.turn_on", "target": {"entity_id": "light.ceiling_lights"}}
            ],
        },
    ),
    (
        "script/config/seed_all_off",
        {
            "alias": "All lights off",
            "sequence": [{"action": "light.turn_off", "target": {"entity_id": "all"}}],
        },
    ),
    (
        "scene/config/seed_movie",
        {
            "name": "Movie",
            "entities": {
                "light.ceiling_lights": {"state": "on", "brightness": 40},
                "light.kitchen_lights": {"state": "off"},
            },
        },
    ),
]
FLOWS = [
    ("local_todo", {"todo_list_name": "Chores"}),
    ("local_calendar", {"calendar_name": "Family", "import": "create_empty"}),
    ("mcp_server", {}),  # its form is filled in already, differently by release
]


class House:
    """One Home Assistant, by its REST and its WebSocket interface."""

    def __init__(self, http, url):
        self.http, self.url, self.headers = http, url, {}
        self.socket, self.sent = None, 0

    async def rest(self, method, path, **body):
        """Calls a REST path and returns its JSON; anything but success ends the seed."""
        async with self.http.request(
            method, self.url + path, headers=self.headers, **body
        ) as answer:
            if not answer.ok:
                sys.exit(f"seed: {method} {path}: {answer.status} {await answer.text()}")
            return await answer.json()

    async def open_socket(self, token):
        """Opens the WebSocket interface for later calls of `command`."""
        self.headers = {"Authorization": f"Bearer {token}"}
        self.socket = await self.http.ws_connect(self.url + "/api/websocket", max_msg_size=0)
        await self.socket.receive_json()
        await self.socket.send_json({"type": "auth", "access_token": token})
        answer = await self.socket.receive_json()
        if answer["type"] != "auth_ok":
            sys.exit(f"seed: the token was refused: {answer}")

    async def command(self, kind, **fields):
        """Sends a WebSocket command and returns its result; None where the release lacks it."""
        self.sent += 1
        await self.socket.send_json({"id": self.sent, "type": kind, **fields})
        while True:
            answer = await self.socket.receive_json()
            if answer.get("id") == self.sent and answer["type"] == "result":
                break
        if answer["success"]:
            return answer["result"]
        if answer["error"]["code"] == "unknown_command":
            return None
        sys.exit(f"seed: {kind} {fields}: {answer['error']}")


async def until(what, is_so, process):
    """Waits for a condition while the process lives."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if await is_so():
                return
        except aiohttp.ClientError:
            pass
        if not os.path.exists(f"/proc/{process}"):
            sys.exit("seed: Home Assistant ended")
        await asyncio.sleep(0.1)
    sys.exit(f"seed: {what} took longer than {PATIENCE} s")


async def create_owner(house):
    """Does what the first-run pages do and returns a long-lived token."""
    client = house.url + "/"
    owner = {"name": "Test", "username": "test", "password": "test-password"}
    made = await house.rest(
        "POST", "/api/onboarding/users", json={"client_id": client, "language": "en", **owner}
    )
    code = {"grant_type": "authorization_code", "code": made["auth_code"], "client_id": client}
    session = await house.rest("POST", "/auth/token", data=code)
    await house.open_socket(session["access_token"])
    token = await house.command(
        "auth/long_lived_access_token", client_name="hearth tests", lifespan=3650
    )
    await house.socket.close()
    return token


async def furnish(house):
    """Adds what the demo entities do not bring."""
    floor = await house.command("config/floor_registry/create", name="Ground", level=0)
    label = await house.command("config/label_registry/create", name="Critical", color="red")
    # the owner's creation has made these areas
    areas = {a["name"]: a["area_id"] for a in await house.command("config/area_registry/list")}
    for name in set(PLACES.values()):
        await house.command(
            "config/area_registry/update", area_id=areas[name], floor_id=floor["floor_id"]
        )
    for entity, area in PLACES.items():
        entry = await house.command("config/entity_registry/get", entity_id=entity)
        # new releases refuse an area on an entity that takes its name from a device
        await house.command(
            "config/device_registry/update", device_id=entry["device_id"], area_id=areas[area]
        )
    await house.command(
        "config/entity_registry/update", entity_id="light.bed_light", labels=[label["label_id"]]
    )
    for kind, fields in HELPERS:
        await house.command(f"{kind}/create", **fields)
    for path, body in EDITED:
        await house.rest("POST", f"/api/config/{path}", json=body)
    for handler, answers in FLOWS:
        await finish_flow(house, handler, answers)


async def finish_flow(house, handler, answers):
    """Adds an integration by its set-up dialogue of one form."""
    path = "/api/config/config_entries/flow"
    step = await house.rest("POST", path, json={"handler": handler})
    if step["type"] == "form":
        step = await house.rest("POST", f"{path}/{step['flow_id']}", json=answers)
    if step["type"] != "create_entry":
        sys.exit(f"seed: {handler} was not added: {step}")


async def keep_port(house):
    """Newer releases put their HTTP settings on trial and leave the port unless told to stay."""
    settings = await house.command("http/config")
    if settings and settings.get("pending"):
        await house.command("http/config/promote")


async def main():
    url, process = sys.argv[1], int(sys.argv[2])
    began = time.monotonic()
    async with aiohttp.ClientSession() as http:
        house = House(http, url)

        async def answers():
            async with http.get(url + "/api/onboarding") as reply:
                return reply.status == 200

        async def is_running():
            return (await house.rest("GET", "/api/config"))["state"] == "RUNNING"

        await until("the first answer", answers, process)
        token = await create_owner(house)
        await house.open_socket(token)
        await until("the start", is_running, process)
        await keep_port(house)
        await furnish(house)
        states = await house.rest("GET", "/api/states")
        config = await house.rest("GET", "/api/config")
    pathlib.Path(__file__).with_name("token").write_text(token)
    print(
        f"ha: Home Assistant {config['version']} with {len(states)} entities, "
        f"ready after {time.monotonic() - began:.1f} s, {url}"
    )


asyncio.run(main())

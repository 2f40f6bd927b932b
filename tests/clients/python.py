"""Drives an MCP server with the official Python client, through the steps of steps.mjs.

    python python.py PLAN        PLAN is JSON; "lifecycle" is "legacy" or "modern"
"""

import json
import sys
import warnings

import anyio
import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

warnings.simplefilter("ignore")
PLAN = json.loads(sys.argv[1])
MODERN = PLAN["lifecycle"] == "modern"
PATIENCE = 10


def server():
    if "command" in PLAN:
        command, *args = PLAN["command"]
        return StdioServerParameters(command=command, args=args, env=PLAN.get("env"))
    token = PLAN.get("token")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return streamable_http_client(PLAN["url"], http_client=httpx2.AsyncClient(headers=headers, timeout=60))


class Notices:
    """What the server says on its own."""

    def __init__(self):
        self.uris = []
        self.came = anyio.Event()

    async def hear(self, message):
        if getattr(message, "method", "") == "notifications/resources/updated":
            self.uris.append(str(message.params.uri))
            self.came.set()


async def call(client, what, **more):
    return await client.call_tool(what["name"], what.get("arguments", {}), **more)


async def listed(client):
    assert PLAN["call"]["name"] in [tool.name for tool in (await client.list_tools()).tools]


async def called(client):
    result = await call(client, PLAN["call"])
    assert not result.is_error and result.content, result


async def unknown(client):
    try:
        await client.call_tool("no_such_tool", {})
    except MCPError as error:
        assert error.code == -32602, error
    else:
        raise AssertionError("an unknown tool was called")


async def read(client):
    contents = (await client.read_resource(PLAN["read"])).contents
    assert str(contents[0].uri) == PLAN["read"]


async def touch(client):
    touched = await call(client, PLAN["touch"])
    assert not touched.is_error, touched


async def subscribed(client, notices):
    if MODERN:
        async with client.listen(resource_subscriptions=[PLAN["read"]]) as subscription:
            await touch(client)
            assert (await anext(subscription)).uri == PLAN["read"]
        return
    await client.subscribe_resource(PLAN["read"])
    await touch(client)
    await notices.came.wait()
    assert notices.uris[0] == PLAN["read"]
    await client.unsubscribe_resource(PLAN["read"])


async def progressed(client):
    steps = []

    async def on_step(done, total, text):
        steps.append(done)

    result = await call(client, PLAN["progress"], progress_callback=on_step)
    assert not result.is_error and len(steps) >= 2 and steps == sorted(steps), (result, steps)


async def cancelled(client):
    async def count():
        return int((await call(client, PLAN["stopped"])).content[0].text)

    before = await count()
    async with anyio.create_task_group() as group:
        async def enough(done, total, text):
            group.cancel_scope.cancel()

        group.start_soon(lambda: call(client, PLAN["wait"], progress_callback=enough))
    while await count() <= before:
        pass


async def main():
    notices = Notices()
    mode = "2026-07-28" if MODERN else "legacy"
    async with Client(server(), mode=mode, message_handler=notices.hear) as client:
        steps = [("list", listed), ("call", called), ("unknown tool", unknown), ("read", read)]
        if PLAN.get("touch"):
            steps.append(("subscribe", lambda c: subscribed(c, notices)))
        if PLAN.get("progress"):
            steps.append(("progress", progressed))
        if PLAN.get("wait"):
            steps.append(("cancel", cancelled))
        for name, step in steps:
            with anyio.fail_after(PATIENCE):
                await step(client)
            print("ok", name, flush=True)
    print("ok close", flush=True)


anyio.run(main)

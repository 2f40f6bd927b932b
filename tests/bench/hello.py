"""The smallest FastMCP server: what Hearth is measured beside.

    hello.py          speaks MCP on standard input and output
    hello.py PORT     speaks it over HTTP on that port of 127.0.0.1
"""

import sys

from fastmcp import FastMCP

server = FastMCP("hello")


@server.tool
def hello(name: str) -> str:
    """Greets someone."""
    return f"Hello, {name}"


if len(sys.argv) > 1:
    server.run(
        transport="http",
        host="127.0.0.1",
        port=int(sys.argv[1]),
        show_banner=False,
        log_level="error",
    )
else:
    server.run(show_banner=False, log_level="error")

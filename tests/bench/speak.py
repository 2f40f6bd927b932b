"""Small clients on bare sockets, so that what is measured is the server and not the client.

HTTP with one kept connection, MCP over it, MCP over a program's pipes, Home Assistant's WebSocket.
Standard library only.
"""

import base64
import json
import os
import socket
import struct
import time

PATIENCE = 60  # seconds until anything counts as hung


class Connection:
    """A socket with a buffer."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def fileno(self):
        return self.socket.fileno()

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.buffer += data

    def until(self, mark):
        """Takes everything up to and with the mark."""
        while mark not in self.buffer:
            self.more()
        head, self.buffer = self.buffer.split(mark, 1)
        return head + mark

    def exactly(self, count):
        while len(self.buffer) < count:
            self.more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data


class Http(Connection):
    """One kept HTTP/1.1 connection."""

    def __init__(self, address, token=None):
        super().__init__(address)
        self.headers = f"Host: {address[0]}:{address[1]}\r\n"
        if token:
            self.headers += f"Authorization: Bearer {token}\r\n"

    def send(self, method, path, body=b"", headers=""):
        head = f"{method} {path} HTTP/1.1\r\n{self.headers}{headers}Content-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode() + body)

    def head(self):
        """Reads an answer's head: the status and the headers."""
        lines = self.until(b"\r\n\r\n").decode().split("\r\n")
        pairs = (line.split(":", 1) for line in lines[1:] if ":" in line)
        return int(lines[0].split()[1]), {k.lower(): v.strip() for k, v in pairs}

    def body(self, headers):
        if "chunked" not in headers.get("transfer-encoding", ""):
            return self.exactly(int(headers.get("content-length", 0)))
        out = b""
        while chunk := self.chunk():
            out += chunk
        return out

    def chunk(self):
        """Reads one chunk; empty at the end."""
        size = int(self.until(b"\r\n").split(b";")[0], 16)
        data = self.exactly(size)
        self.until(b"\r\n")
        return data

    def ask(self, method, path, body=b"", headers=""):
        self.send(method, path, body, headers)
        status, fields = self.head()
        return status, fields, self.body(fields)


def message(method, number=None, **params):
    out = {"jsonrpc": "2.0", "method": method}
    if number is not None:
        out["id"] = number
    if params:
        out["params"] = params
    return out


def hello(number):
    return message(
        "initialize",
        number,
        protocolVersion="2025-06-18",
        capabilities={},
        clientInfo={"name": "bench", "version": "1"},
    )


def answer_in(text):
    """The JSON-RPC answer in a body: plain JSON or the data lines of an event stream."""
    if not text.lstrip().startswith(b"{"):
        found = [line[5:] for line in text.splitlines() if line.startswith(b"data:")]
        text = next(line for line in found if b'"id"' in line and b'"method"' not in line)
    answer = json.loads(text)
    if "result" not in answer:
        raise RuntimeError(f"the server answered {answer}")
    return answer["result"]


class McpHttp:
    """An MCP session over streamable HTTP."""

    BOTH = "Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n"

    def __init__(self, address, token=None, path="/mcp"):
        self.address, self.token, self.path = address, token, path
        self.http, self.number, self.session = Http(address, token), 0, ""
        status, headers, body = self.post(hello(self.next()))
        if status != 200:
            raise RuntimeError(f"initialize got {status}: {body[:200]!r}")
        answer_in(body)
        if "mcp-session-id" in headers:
            self.session = f"Mcp-Session-Id: {headers['mcp-session-id']}\r\n"
        self.session += "MCP-Protocol-Version: 2025-06-18\r\n"
        self.post(message("notifications/initialized"))

    def next(self):
        self.number += 1
        return self.number

    def post(self, what):
        return self.http.ask("POST", self.path, json.dumps(what).encode(), self.BOTH + self.session)

    def ask(self, method, **params):
        return answer_in(self.post(message(method, self.next(), **params))[2])

    def call(self, name, arguments):
        result = self.ask("tools/call", name=name, arguments=arguments)
        if result.get("isError"):
            raise RuntimeError(f"{name} failed: {result['content'][0]['text'][:300]}")
        return result

    def stream(self):
        """Opens the stream of the server's own messages."""
        stream = Http(self.address, self.token)
        stream.send("GET", self.path, headers="Accept: text/event-stream\r\n" + self.session)
        status, _ = stream.head()
        if status != 200:
            raise RuntimeError(f"the event stream got {status}")
        return stream


class McpPipes:
    """An MCP session with a program that was just started."""

    def __init__(self, process):
        self.process, self.number = process, 0

    def send(self, what):
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, what):
        self.send(what)
        while line := self.process.stdout.readline():
            answer = json.loads(line)
            if answer.get("id") == what["id"]:
                return answer["result"]
        raise ConnectionError("the program ended")


class House(Connection):
    """Home Assistant's WebSocket."""

    def __init__(self, url, token):
        host, port = url.split("://")[1].rstrip("/").split(":")
        super().__init__((host, int(port)))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /api/websocket HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.until(b"\r\n\r\n")
        self.number = 0
        self.read()
        self.send({"type": "auth", "access_token": token})
        if self.read()[0]["type"] != "auth_ok":
            raise RuntimeError("Home Assistant refused the token")

    def send(self, what):
        data = json.dumps(what).encode()
        mask = os.urandom(4)
        size = len(data)
        head = bytes([0x81, 0x80 | size]) if size < 126 else struct.pack("!BBH", 0x81, 0xFE, size)
        data = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
        self.socket.sendall(head + mask + data)

    def frame(self):
        first, size = self.exactly(2)
        if size == 126:
            (size,) = struct.unpack("!H", self.exactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.exactly(8))
        return first & 0x80, first & 0x0F, self.exactly(size)

    def read(self):
        """Reads one message; a list, as there may be several in one."""
        whole, data = False, b""
        while not whole:
            whole, kind, part = self.frame()
            if kind == 8:
                raise ConnectionError("Home Assistant closed the socket")
            if kind > 8:
                whole = False
                continue
            data += part
        out = json.loads(data)
        return out if isinstance(out, list) else [out]

    def command(self, kind, **fields):
        self.number += 1
        self.send({"id": self.number, "type": kind, **fields})
        return self.number

    def result(self, kind, **fields):
        number = self.command(kind, **fields)
        while True:
            for answer in self.read():
                if answer.get("id") == number and answer["type"] == "result":
                    if not answer["success"]:
                        raise RuntimeError(f"{kind}: {answer['error']}")
                    return answer["result"]

    def watch(self, entity):
        """Subscribes to one entity and reads its first state."""
        number = self.command("subscribe_entities", entity_ids=[entity])
        while True:
            for answer in self.read():
                if answer.get("id") == number and answer["type"] == "event":
                    return number


def wait_for(what, ready):
    """Polls until there is something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = ready()
        if found:
            return found
        time.sleep(0.02)
    raise TimeoutError(f"waited {PATIENCE} s for {what}")

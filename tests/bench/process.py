"""Programs under measurement: started, watched through /proc, ended by their own id."""

import atexit
import itertools
import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import tempfile
import time

from speak import Http, McpHttp, McpPipes, hello, message, wait_for

FOLDERS = pathlib.Path(tempfile.mkdtemp(prefix="hearth-bench-"))
atexit.register(shutil.rmtree, FOLDERS, ignore_errors=True)
NUMBERS = itertools.count()
TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pid):
    """Seconds of processor time so far, by the scheduler's own count of each living thread; the
    ticks of /proc/PID/stat, which are 10 ms long, where the kernel does not keep it."""
    try:
        tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
        spent = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
        if spent > 0:
            return spent
    except (FileNotFoundError, ProcessLookupError):
        pass
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def ticks(pid):
    """Seconds of processor time in the 10 ms steps of /proc/PID/stat, ended threads included."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss(pid):
    """Resident memory in MB."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) / 1000


def idle_rss(pid, seconds):
    """Resident memory once it has had nothing to do for a while."""
    time.sleep(seconds)
    return rss(pid)


def by_pipes(command, env):
    """Starts a program, asks it for its tools, ends it by the end of its input. Returns wall
    seconds to the first tools/list, processor seconds until then and for its whole life, and
    resident MB at that point."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=env,
    )
    client = McpPipes(process)
    client.ask(hello(1))
    client.send(message("notifications/initialized"))
    tools = client.ask(message("tools/list", 2))["tools"]
    wall = time.perf_counter() - began
    spent, memory = cpu(process.pid), rss(process.pid)
    process.stdin.close()
    process.wait(timeout=30)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    life = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert tools, f"{command} has no tools"
    return {"wall": wall, "cpu": spent, "life": life, "rss": memory}


class Server:
    """A program that serves MCP over HTTP, for the time of a with block."""

    def __init__(self, command, env, token=None, port=None):
        self.token, self.began = token, time.perf_counter()
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env
        )
        self.pid = self.process.pid
        if port:
            self.address = ("127.0.0.1", port)
            wait_for("the port", self.is_open)
        else:
            self.address = self.printed_address()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)

    def printed_address(self):
        line = self.process.stdout.readline().decode()
        found = re.search(r"listening on http://(?:[^:/]+|\[.*\]):(\d+)", line)
        if not found:
            raise RuntimeError(f"no address in {line!r}")
        return ("127.0.0.1", int(found.group(1)))

    def is_open(self):
        try:
            socket.create_connection(self.address, timeout=1).close()
            return True
        except OSError:
            return False

    def is_ready(self):
        return Http(self.address).ask("GET", "/ready")[0] == 200

    def first_list(self):
        """Wall and processor seconds from the start to the first tools/list."""
        client = McpHttp(self.address, self.token)
        assert client.ask("tools/list")["tools"]
        return {"wall": time.perf_counter() - self.began, "cpu": cpu(self.pid)}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def hearth_env(**more):
    """An environment in which nothing of the user's own is used or touched."""
    folder = str(FOLDERS / str(next(NUMBERS)))
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "DATA_DIR": folder, "PORT": "0", "HOST": "127.0.0.1", **more}

"""Tries to get out of a sandbox, in every way that TARGETS (JSON) names something for.

Prints one JSON object: the name of each attempt, and `ok` or the name of the error. Nothing here
harms what it reaches: it reads, or asks for what has no effect.
"""
import ctypes, errno, fcntl, json, os, resource, socket, subprocess

T = json.loads(os.environ["TARGETS"])
PID, DATA = T["pid"], T["data"]
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *args):
    result = getattr(libc, name)(*args)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def apart(attempt):
    """Runs an attempt in a child, for what cannot be undone."""
    near, far = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(near)
        os.write(far, outcome(attempt).encode())
        os._exit(0)
    os.close(far)
    said = os.read(near, 100).decode()
    os.waitpid(child, 0)
    return said


def outcome(attempt):
    try:
        attempt()
        return "ok"
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e.errno))
    except ValueError:
        # What Python makes of EPERM when a limit is set.
        return "EPERM"


def read(path, count=64):
    with open(path, "rb") as f:
        f.read(count)


def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(5)
        s.connect(address)


def ask(name, words):
    """Connects, and is answered."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(5)
        s.connect(DATA + name)
        s.sendall(words)
        if not s.recv(100).startswith((b"HTTP/1.1 200", b"ok")):
            raise OSError(errno.ECONNREFUSED, "not served")


def namespaces():
    call("unshare", 0x10000000)


def mount():
    # A user namespace lets anybody mount, if nothing forbids making one.
    call("unshare", 0x10000000 | 0x00020000)
    call("mount", b"none", b"/", None, 0x40000 | 0x4000, None)
    call("mount", b"tmpfs", T["scratch"].encode(), b"tmpfs", 0, None)


def attach():
    call("ptrace", 16, PID, 0, 0)
    os.waitpid(PID, 0)
    call("ptrace", 17, PID, 0, 0)


def run_written():
    path = os.path.join(T["scratch"], "written")
    with open("/bin/true", "rb") as source:
        # With its mode from the beginning: changing modes is another try.
        fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o755)
        os.write(fd, source.read())
        os.close(fd)
    subprocess.run([path], check=True)


def owner_of_signals():
    near, far = os.pipe()
    # What comes would be told to Hearth, by a signal that it ignores: nothing comes.
    fcntl.fcntl(near, fcntl.F_SETOWN, PID)
    if fcntl.fcntl(near, fcntl.F_GETOWN) != PID:
        raise OSError(errno.ESRCH, "not set")


def unmark():
    resource.setrlimit(15, (1, 1))  # RLIMIT_RTTIME


def watch():
    fd = call("inotify_init1", 0)
    call("inotify_add_watch", fd, DATA.encode(), 0x100)



def change_other_limits():
    class Limit(ctypes.Structure):
        _fields_ = [("soft", ctypes.c_uint64), ("hard", ctypes.c_uint64)]
    call("prlimit", PID, 4, ctypes.byref(Limit(0, 2**64 - 1)), None)


ATTEMPTS = {
    "read data": lambda: read(DATA + "/hearth.toml"),
    "list data": lambda: os.listdir(DATA),
    "write data": lambda: open(DATA + "/planted", "w").close(),
    "change data": lambda: os.chmod(DATA, 0o700),
    "watch data": watch,
    "environ": lambda: read(f"/proc/{PID}/environ"),
    "mem": lambda: open(f"/proc/{PID}/mem", "rb").close(),
    "fd": lambda: os.listdir(f"/proc/{PID}/fd"),
    "signal": lambda: os.kill(PID, 28),
    "owner of signals": owner_of_signals,
    "attach": attach,
    "priority": lambda: os.setpriority(os.PRIO_PROCESS, PID, 0),
    "limits": change_other_limits,
    "control.sock": lambda: connect(socket.AF_UNIX, DATA + "/control.sock"),
    "mcp.sock": lambda: connect(socket.AF_UNIX, DATA + "/mcp.sock"),
    "ask control.sock": lambda: ask("/control.sock", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"),
    "ask mcp.sock": lambda: ask("/mcp.sock", b"hearth-mcp 1\n"),
    "abstract": lambda: connect(socket.AF_UNIX, "\0" + T["abstract"]),
    "http": lambda: connect(socket.AF_INET, ("127.0.0.1", T["port"])),
    "namespaces": namespaces,
    "mount": mount,
    "traced": lambda: call("ptrace", 0, 0, 0, 0),
    "run written": run_written,
    "unmark": unmark,
}

said = {name: apart(attempt) for name, attempt in ATTEMPTS.items()}
print(json.dumps(said), flush=True)

"""What sends to an RTSP server ends with its parent, and where the server takes nothing."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.support import ROOT

av = pytest.importorskip("av")
from tests.support.streams.films import even, write  # noqa: E402

PARENT = """
import sys, time
from hotpath.app.links import stream
process = stream._start_push(sys.argv[1])
print(process.pid, flush=True)
data = open(sys.argv[2], "rb").read()
for at in range(0, len(data), 4096):
    try:
        process.stdin.write(data[at : at + 4096])
    except (BlockingIOError, BrokenPipeError):
        break
time.sleep(600)
"""


@pytest.fixture()
def silent():
    """A server that accepts a connection and says nothing; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server, f"rtsp://me:secret@127.0.0.1:{server.getsockname()[1]}/live"


@pytest.fixture()
def film(tmp_path):
    return write(tmp_path / "a.ts", even(60))


def is_running(pid):
    """Whether a process is there, and no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ended(pid, within_s):
    until_s = time.monotonic() + within_s
    while is_running(pid) and time.monotonic() < until_s:
        time.sleep(0.05)
    return not is_running(pid)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a call of Linux")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_it_ends_with_its_parent_while_a_server_hangs(silent, film, how):
    server, address = silent
    call = [sys.executable, "-c", PARENT, address, film]
    with subprocess.Popen(call, stdout=subprocess.PIPE, cwd=str(ROOT)) as parent:
        pid = int(parent.stdout.readline())
        connection, _ = server.accept()  # it waits for an answer now
        time.sleep(0.3)
        assert is_running(pid)
        parent.send_signal(how)
    assert ended(pid, 15.0)  # without the parent it ends after thirty
    connection.close()


def test_it_ends_where_a_server_takes_nothing(silent, film):
    server, address = silent
    code = "from hotpath.app.links import rtsp_push as push; push.MOST_S = 1; push.main()"
    environment = dict(os.environ, HOTPATH_PUSH=address)
    with open(film, "rb") as data:
        call = [sys.executable, "-c", code]
        began_s = time.monotonic()
        done = subprocess.run(call, stdin=data, env=environment, cwd=str(ROOT), timeout=60)
    assert done.returncode == -signal.SIGALRM and time.monotonic() - began_s < 30

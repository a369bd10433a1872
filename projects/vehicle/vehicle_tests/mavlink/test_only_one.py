"""Two runs of one computer can't steer at one address, whoever starts them."""

import os
import signal
import subprocess
import sys

import pytest

from hotpath.runtime.errors import BadOutput
from hotpath_vehicle.mavlink import only_one
from tests.support import ROOT
from tests.support.errors import refusal
from tests.support.ports import free_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
ME = (1, 100)
PORT = free_port()  # of each process that runs tests
HERE = f"udpout:127.0.0.1:{PORT}"
PROGRAM = (
    "import sys; sys.path[:0] = {!r}; "
    "from hotpath_vehicle.mavlink import only_one; "
    "kept = only_one.take(sys.argv[1], (1, 100)); print('taken', flush=True); sys.stdin.read()"
)


@pytest.fixture
def other():
    """Starts another process that takes an address; returns it once it has it."""
    started = []

    def start(url, **options):
        words = [
            sys.executable,
            "-c",
            PROGRAM.format([str(ROOT), str(ROOT / "projects" / "vehicle")]),
            url,
        ]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen(words, cwd="/", **pipes, **options)
        started.append(process)
        assert process.stdout.readline() == b"taken\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    "theirs, ours",
    [
        ("udpout:127.0.0.1:{}", "udpout:127.0.0.1:{}"),
        ("udpout:localhost:{}", "udpout://127.0.0.1:{}"),
        ("udpout:[::1]:{}", "udpout:localhost:0{}"),
        ("serial:/dev/null:57600", "serial:/dev/../dev/null:115200"),
    ],
)
def test_two_spellings_of_one_place_are_one(other, theirs, ours):
    theirs, ours = theirs.format(PORT), ours.format(PORT)
    other(theirs)
    with refusal(BadOutput, "another run"):
        only_one.take(ours, ME)
    only_one.take(ours, (1, 101)).close()  # another component


def test_other_places_are_free(other):
    other(HERE)
    for url in (
        "udpout:127.0.0.1:15000",
        HERE.replace("0.1", "0.9"),
        HERE.replace("udpout", "tcp"),
    ):
        only_one.take(url, ME).close()
    only_one.take(HERE.replace("127.0.0.1", "no.such.host.invalid"), ME).close()


def test_an_unwritable_home_and_another_home_change_nothing(other, tmp_path):
    other(HERE, env=dict(os.environ, HOME="/nonexistent"))
    with pytest.raises(BadOutput):
        only_one.take(HERE, ME)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process of another user")
def test_another_user_of_the_computer_counts(other):
    held = only_one.take(HERE, ME)
    nobody = [sys.executable, "-c", SEEN_BY_NOBODY, only_one_name(held)]
    done = subprocess.run(nobody, cwd="/", stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"in use\n"
    held.close()


# Nobody may not read this checkout, so this process only asks for the name.
SEEN_BY_NOBODY = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
try:
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).bind("\\0" + sys.argv[1])
    print("free")
except OSError as error:
    print("in use")
"""


def only_one_name(held):
    return held.getsockname()[1:].decode()


def test_a_run_that_was_killed_leaves_the_place_free(other):
    first = other(HERE)
    first.send_signal(signal.SIGKILL)
    first.wait()
    only_one.take(HERE, ME).close()

"""Two runs of one computer can't steer at one address, whoever starts them."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

from hotpath.runtime.errors import BadOutput
from hotpath_vehicle.mavlink import steering_lock
from tests.support import ROOT
from tests.support.errors import refusal
from tests.support.ports import free_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
ME = (1, 100)
PORT = free_port()  # of each process that runs tests
HERE = f"udpout:127.0.0.1:{PORT}"
TAKE = (
    "import sys; sys.path[:0] = {!r}; "
    "from hotpath_vehicle.mavlink import steering_lock; "
    "kept = steering_lock.take({!r}, (1, 100)); print('taken', flush=True); sys.stdin.read()"
)


@pytest.mark.parametrize(
    "theirs, ours",
    [
        ("udpout:127.0.0.1:{}", "udpout:127.0.0.1:{}"),
        ("udpout:localhost:{}", "udpout://127.0.0.1:{}"),
        ("udpout:[::1]:{}", "udpout:localhost:0{}"),
        ("serial:/dev/null:57600", "serial:/dev/../dev/null:115200"),
    ],
)
def test_two_spellings_of_one_place_are_one(theirs, ours):
    theirs, ours = theirs.format(PORT), ours.format(PORT)
    with contextlib.closing(steering_lock.take(theirs, ME)):
        with refusal(BadOutput, "another run"):
            steering_lock.take(ours, ME)
        steering_lock.take(ours, (1, 101)).close()  # another component
    steering_lock.take(ours, ME).close()


@pytest.mark.parametrize(
    "old, new", [("0.1:", "0.9:"), ("udpout", "tcp"), ("127.0.0.1", "no.host")]
)
def test_another_place_is_free(old, new):
    with contextlib.closing(steering_lock.take(HERE, ME)):
        steering_lock.take(HERE.replace(old, new), ME).close()
        steering_lock.take("udpout:127.0.0.1:15000", ME).close()


def test_a_run_of_anybody_keeps_the_place_until_it_is_killed():
    """Another home, or none that can be written, and another folder change nothing."""
    paths = [str(ROOT), str(ROOT / "projects" / "vehicle")]
    other = subprocess.Popen(
        [sys.executable, "-c", TAKE.format(paths, HERE)],
        cwd="/",
        env=dict(os.environ, HOME="/nonexistent"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with other:
        assert other.stdout.readline() == b"taken\n"
        with refusal(BadOutput, "another run"):
            steering_lock.take(HERE, ME)
        other.send_signal(signal.SIGKILL)
    steering_lock.take(HERE, ME).close()

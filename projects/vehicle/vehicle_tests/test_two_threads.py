"""Two threads may call any two public methods of the links to a vehicle and to cameras."""

import socket
import time
from types import SimpleNamespace

import pytest

from hotpath.app.links.base import Context
from hotpath.app.option_records import LinkOptions
from hotpath.app.selection import Selection
from hotpath_vehicle.mavlink import service
from hotpath_vehicle.plug import GimbalOptions, MavlinkOptions
from hotpath_vehicle.ptz import Follower, make_aim
from tests.support.pairs import Kind, assert_takes_turns, link_calls, tracked


def mavlink_link(gimbal):
    """A link to a vehicle that says nothing; ``gimbal`` is a ``GimbalOptions``."""
    station = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    station.bind(("127.0.0.1", 0))
    url = f"udpout:127.0.0.1:{station.getsockname()[1]}"
    others = MavlinkOptions(url), gimbal
    options = LinkOptions(others=others, fov=(60.0,))
    run = SimpleNamespace(selection=Selection(), fps=25.0, can_record=False, recording_since=None)
    context = Context(options, run, 25.0, (64, 48), "tiny", lambda text: None)
    return service.open_link(context)


def mavlink():
    """The same with a gimbal."""
    calls = link_calls()
    calls["take"] = lambda link, n: link.take(None, b"\xfd" + bytes(n), time.monotonic())
    return Kind(lambda: mavlink_link(GimbalOptions("")), calls, ("start",))


def ptz():
    """A link to a camera of the network."""
    from vehicle_tests.support.onvif_camera import FakeOnvifCamera
    from vehicle_tests.test_onvif import LOGIN, opened

    camera = FakeOnvifCamera(LOGIN)
    return Kind(lambda: opened(camera), link_calls())


def follower():
    """What decides how a camera moves: the frame loop and the camera's thread call it."""
    calls = {
        "see": lambda made, n: made.see(tracked(n), time.monotonic()),
        "command": lambda made, n: made.command(time.monotonic()),
    }
    return Kind(lambda: Follower(make_aim((60.0,), (64, 48), None), print), calls, times=300)


@pytest.mark.parametrize("kind", ["mavlink", "ptz", "follower"])
def test_two_threads_in_two_methods_of_a_vehicles_link(kind, tmp_path):
    assert_takes_turns(__name__, kind, HOME=str(tmp_path))

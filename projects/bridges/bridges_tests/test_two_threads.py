"""Two threads may call any two public methods of what the bridges add."""

import contextlib
import importlib
import os
import socket
import sys
import tempfile
from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.app.option_records import LinkOptions
from hotpath.runtime.errors import BadOutput
from hotpath_bridges.mqtt import MqttLink
from hotpath_bridges.ros_link import RosLink
from tests.app.test_two_threads import FRAMES, source
from tests.support.pairs import Kind, assert_takes_turns, link_calls

__all__ = ["source"]  # a kind of this module, too


def ros():
    """A link to a bus in a folder."""
    from bridges_tests import fake_ros

    sys.modules.update(fake_ros.modules())
    os.environ["FAKE_ROS"] = tempfile.mkdtemp()
    importlib.import_module("hotpath_bridges.ros_node")
    run = SimpleNamespace(newest=None, holds={})
    return Kind(lambda: RosLink("ros:/own", run, print), link_calls())


def mqtt():
    """A link to a broker that is away."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"mqtt://127.0.0.1:{nobody.getsockname()[1]}/home"
    options = LinkOptions(publish=address, video="cam0")

    def close(link, _):
        with contextlib.suppress(BadOutput):  # nothing was delivered
            link.close()

    return Kind(lambda: MqttLink(options, lambda text: None), dict(link_calls(), close=close))


@pytest.mark.parametrize("plugin", ["MCAP", "SQLITE3"])
def test_two_threads_in_two_methods_of_a_bag(plugin, tmp_path):
    rosbags = pytest.importorskip("rosbags.rosbag2")
    from bridges_tests.test_ros import STORE, image
    from hotpath_bridges.ros import IMAGE

    path, storage = tmp_path / "bag", rosbags.StoragePlugin[plugin]
    with rosbags.Writer(path, version=9, storage_plugin=storage) as writer:
        topic = writer.add_connection("/a", IMAGE, typestore=STORE)
        for number in range(FRAMES):
            picture = np.full((6, 10, 3), 10 * number, np.uint8)
            at_s = 10 + number / 25
            writer.write(topic, int(at_s * 1e9), image("bgr8", picture, 10, stamp_s=at_s))
    assert_takes_turns(__name__, "source", str(path))


@pytest.mark.parametrize("kind, package", [("ros", "rosbags"), ("mqtt", "paho.mqtt.client")])
def test_two_threads_in_two_methods_of_a_bridge(kind, package):
    pytest.importorskip(package)
    assert_takes_turns(__name__, kind)

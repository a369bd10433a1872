"""Two threads may call any two public methods of a bag: libraries end the process otherwise."""

import numpy as np
import pytest

from tests.app.test_two_threads import FRAMES, source
from tests.support.pairs import assert_takes_turns

__all__ = ["source"]  # a kind of this module, too


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

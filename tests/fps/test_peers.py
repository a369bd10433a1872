"""The trackers that ours are timed beside."""

import cv2
import pytest

from runtime.errors import HotpathError
from runtime.networks import load_network
from tests.fps.simple import OpenCvNano

pytestmark = pytest.mark.skipif(
    not hasattr(cv2, "TrackerNano_create"), reason="this OpenCV has no TrackerNano"
)


@pytest.mark.parametrize(
    "name, runs",
    [
        ("nanotrack_v1", "nanotrack_v1"),
        ("kestrel", "nanotrack_v2"),
        ("nanotrack_v3", "nanotrack_v2"),
    ],
)
def test_opencv_runs_the_same_files_where_it_can(name, runs, networks_dir):
    assert OpenCvNano(load_network(name), str(networks_dir), 1).runs == runs


def test_without_the_usual_files_a_sentence_says_what_is_missing(tmp_path):
    with pytest.raises(HotpathError, match="nanotrack_v2"):
        OpenCvNano(load_network("kestrel"), str(tmp_path), 1)

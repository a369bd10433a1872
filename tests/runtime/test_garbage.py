"""Collections of garbage within a run visit no object from before it."""

import gc
import sys
import weakref

import pytest

from runtime import garbage, track
from tests.support import tiny

pytestmark = pytest.mark.skipif(sys.version_info < (3, 7), reason="Python 3.6 can't leave any out")


class Node:
    """An object that can refer to itself."""


def test_what_was_there_before_is_not_visited_until_an_end_or_an_error():
    before = len(gc.get_objects())
    with garbage.short_collections():
        assert gc.get_freeze_count() > 1000
        assert len(gc.get_objects()) < before / 10
    assert gc.get_freeze_count() == 0 and len(gc.get_objects()) > before / 2
    with pytest.raises(ValueError), garbage.short_collections():
        raise ValueError
    assert gc.get_freeze_count() == 0


def test_garbage_made_within_is_freed():
    with garbage.short_collections():
        node = Node()
        node.itself = node
        gone = weakref.ref(node)
        del node
        gc.collect()
        assert gone() is None


def test_the_frame_loop_runs_within_it(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    tiny.write_network(tmp_path)
    tiny.write_video(tmp_path / "film.avi", tiny.film(6)[0])
    loop, left_out = track.follow, []

    def follow(*arguments):
        left_out.append(gc.get_freeze_count())
        return loop(*arguments)

    monkeypatch.setattr(track, "follow", follow)
    words = ["--network", str(tmp_path / "tiny.toml"), "--video", str(tmp_path / "film.avi")]
    assert track.main(words + ["--box", "20,20,40,40", "--no-show"]) == 0
    assert left_out[0] > 1000 and gc.get_freeze_count() == 0

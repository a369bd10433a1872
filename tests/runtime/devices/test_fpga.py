"""The compiled calls of an FPGA's tracker give the boxes of the steps in Python."""

import numpy as np
import pytest

pytest.importorskip("pynq", reason="PYNQ's library is missing: make fpga")

from kernels import cpu
from kernels.fpga.frame import Frames
from runtime import loading
from runtime.options import Options
from runtime.pictures import PlanarFrame
from tests.support import fpga_bundle as bright
from tests.support.pictures_in_planes import planes_of


def both(folder, frames, box, changes=(), **run):
    """What the steps in Python and the compiled calls say of frames, and leave behind."""
    results = []
    for is_compiled in (False, True):
        _, engine = bright.opened(folder, **run)
        for key, value in dict(changes).items():
            setattr(engine.network, key, value)
        tracker = loading.create_tracker(engine.network, engine, cpu.load())
        assert tracker.device.frames is not None
        if not is_compiled:
            tracker.device.frames = None
        tracker.init(frames[0], box)
        results.append([(tracker.update(frame), about(tracker)) for frame in frames[1:]])
    return results


def about(tracker):
    """All that a frame leaves behind."""
    return tuple(tracker.state), tracker.presence.value


LOSSES = {"lost_below": 0.9, "unsure_below": 0.95}
# the score map stands for the features
SEEN = {"offset": bright.SCORE_AT, "channels": 7, "height": bright.SEARCH, "width": bright.SEARCH}


@pytest.mark.parametrize("seen", [None, SEEN])
@pytest.mark.parametrize("changes", [{}, LOSSES])
@pytest.mark.parametrize("seed", range(3))
def test_the_compiled_calls_give_the_boxes_of_the_steps_in_python(
    tmp_path, monkeypatch, seed, changes, seen
):
    aim, aimed = Frames.aim, []
    monkeypatch.setattr(Frames, "aim", lambda *given: aimed.append(aim(*given)) or aimed[-1])
    film, boxes = bright.film(14)
    frames = bright.noisy(film, seed)
    frames[9:] = [np.repeat(np.repeat(f, 2, 0), 2, 1) for f in frames[9:]]  # another resolution
    plain, compiled = both(tmp_path, frames, boxes[0], changes, seen=seen)
    assert plain == compiled and all(aimed)
    assert any(track.lost for track, _ in plain) or not changes


@pytest.mark.parametrize("box", [(2, 1, 30, 9), (-20, 60, 40, 40), (90, 65, 30, 30)])
def test_compiled_windows_across_the_frames_edges(tmp_path, box):
    first, *frames = bright.noisy(bright.film(8)[0], 5)
    views = [frames[0][:, ::-1], frames[1][::-1], np.asfortranarray(frames[2]), frames[3]]
    views += [np.repeat(np.repeat(f, 2, 0), 2, 1) for f in frames[4:]]  # another resolution
    plain, compiled = both(tmp_path, [first, *views], box)
    assert plain == compiled


def test_a_window_that_the_fabric_cannot_take_is_cropped_first(tmp_path):
    wide = np.random.default_rng(3).integers(0, 256, (40, 3000, 3), dtype=np.uint8)
    plain, compiled = both(tmp_path, [wide] * 3, (10, 5, 2900, 30))
    assert plain == compiled


@pytest.mark.parametrize("kind", ["YUYV", "NV12", "I420", "BGRx"])
@pytest.mark.parametrize("box", [(2, 1, 30, 9), (40, 20, 12, 12), (90, 65, 30, 30)])
def test_of_a_frame_in_planes_the_window_alone_is_converted(tmp_path, kind, box):
    film, results = bright.noisy(bright.film(6)[0], 7), []
    for pipeline, in_planes in ((1, False), (1, True), (2, True)):
        _, engine = bright.opened(tmp_path)
        options = Options(pipeline=pipeline)
        tracker = loading.create_tracker(engine.network, engine, cpu.load(), options)
        pictures = [PlanarFrame(planes_of(frame, kind)) for frame in film]
        frames = pictures if in_planes else [picture.bgr().copy() for picture in pictures]
        tracker.init(pictures[0].bgr().copy(), box)
        found = []
        for frame in frames[1:]:
            if pipeline == 1:
                found.append(tracker.update(frame))
                continue
            tracker.submit(frame)
            if tracker.in_flight == pipeline:
                found.append(tracker.collect())
        found += [tracker.collect()] if pipeline == 2 else []
        assert pipeline == 1 or all(frame._bgr is None for frame in frames[1:])
        results.append(found)
    assert results[0] == results[1] == results[2]

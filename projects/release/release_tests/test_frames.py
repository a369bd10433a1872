"""The steps whose instructions are counted on ARM are marked, one after the other."""

import numpy as np

from hotpath_release.arm import frames
from tests.support import tiny


def test_each_step_of_a_frame_has_its_mark(tmp_path, monkeypatch):
    pictures, boxes = tiny.film(6)
    np.savez(str(tmp_path / "film.npz"), frames=pictures, box=boxes[0])
    marks = []
    monkeypatch.setattr(frames, "mark", marks.append)
    toml = tiny.write_network(tmp_path)
    frames.main(str(tmp_path / "film.npz"), f"network={toml}", "engine=onnxruntime", "recover=no")
    steps = [frames.BEGIN, frames.CROP, frames.NETWORK, frames.SELECT]
    assert marks == steps * (len(pictures) - 1 - frames.WARM_UP)

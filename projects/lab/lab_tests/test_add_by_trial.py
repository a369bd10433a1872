"""`networks add --clips` finds the settings that a user's files do not state, by trying them."""

import types

import numpy as np
import pytest

from hotpath.app.cli.networks.__main__ import main
from hotpath.app.cli.networks.propose import Proposal
from hotpath.runtime import load_tracker
from hotpath.runtime.boxes import overlaps
from hotpath_lab import choose
from hotpath_lab.trial import Trial
from hotpath_lab.trial_clips import read_clips
from lab_tests.test_choose import TABLE
from tests.app.cli.networks.test_add import add, files_of, refused
from tests.runtime.decode.test_conventions import multiply
from tests.support import blobs, tiny
from tests.support.described import load_network


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two annotated clips of a bright rectangle."""
    folder = tmp_path_factory.mktemp("clips")
    for name, size in (("wide", (36, 24)), ("tall", (20, 44))):
        frames, boxes = blobs.film(10, size=size)
        tiny.write_pictures(folder / name, frames)
        lines = [",".join(map(str, box)) for box in boxes]
        (folder / name / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_orders_of_maps_are_tried_on_one_engine(tmp_path, clips):
    network = load_network(blobs.write_network(tmp_path, "vittrack"))
    swapped = load_network(network.path)
    swapped.maps = (network.maps[0],) + network.maps[:0:-1]
    trial = Trial(network.locate(), read_clips([clips], 6))
    for networks in ([network, swapped], [swapped, network]):
        right = networks.index(network)
        means = trial.overlaps(networks).mean(axis=1)
        assert means[right] > 0.8 > means[1 - right] + 0.2
    assert len(trial._engines) == 1
    trial.close()


def test_colours_and_crop_are_found_by_trying(tmp_path, clips, capsys):
    files = files_of(tmp_path, "lighttrack")
    out = tmp_path / "out"
    assert add(files, "--clips", clips, "--out", out) == 0
    said = capsys.readouterr().out
    assert "family     points" in said and "can't be told apart" in said
    network, true = load_network(out / "mine.toml"), load_network("lighttrack")
    np.testing.assert_allclose(network.scale, true.scale)
    assert network.stride == 16
    assert all(entry.sha256 for entry in network.files)
    frames, boxes = blobs.film()
    tracker = load_tracker(out / "mine.toml")
    tracker.init(frames[0], boxes[0])
    for frame, box in zip(frames[1:], boxes[1:]):
        assert overlaps(tracker.update(frame).box, box)[0, 0] > 0.8


@pytest.mark.parametrize("files_last", [False, True])
def test_several_clips_can_be_named_and_each_counts_once(tmp_path, clips, capsys, files_last):
    files = files_of(tmp_path, "lighttrack")
    several = ["--clips", *map(str, [clips / "wide", clips / "tall", clips])]
    rest = ["--name", "mine", "--out", str(tmp_path / "out")]
    given = several + files + rest if files_last else files + several + rest
    assert main(["add", *given]) == 0
    said = capsys.readouterr().out
    assert "on 2 clips" in said and "one clip" not in said


def test_a_folder_without_clips_and_missing_files_are_named(tmp_path, clips, capsys):
    (tmp_path / "empty").mkdir()
    files = files_of(tmp_path, "lighttrack")
    given = ["--out", str(tmp_path / "out"), "--clips", str(clips), str(tmp_path / "empty")]
    assert "empty holds no frames" in refused(files + given, capsys)
    assert "name the ONNX files" in refused(["--clips", str(clips)], capsys)


def test_units_signs_and_the_target_are_found_by_trying(tmp_path, clips):
    files = files_of(tmp_path, "siamban")
    multiply(tmp_path, max, (-1 / 8, -1 / 8, 1 / 8, 1 / 8))
    multiply(tmp_path, min, (-1,))
    out = tmp_path / "out"
    assert add(files, "--clips", clips, "--out", out) == 0
    network = load_network(out / "mine.toml")
    assert (network.unit, network.signs) == ("cells", "axes")


def test_a_network_that_computes_nan_is_called_so(tmp_path, clips, capsys):
    files = files_of(tmp_path, "lighttrack")
    multiply(tmp_path, max, (float("inf"),) * 4)
    said = refused(files + ["--clips", str(clips), "--out", str(tmp_path / "out")], capsys)
    assert "NaN" in said and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "names, overlap, warning",
    [
        (("a",), 0.62, None),
        (("a",), 0.59, "no better"),
        (("a", "b"), 0.7, None),
        (("a", "b"), 0.65, "little better"),
    ],
)
def test_a_small_gain_on_one_clip_is_no_sign_of_damage(monkeypatch, names, overlap, warning):
    found = [types.SimpleNamespace(name=name) for name in names]
    monkeypatch.setattr(choose, "read_clips", lambda *_: found)
    monkeypatch.setattr(choose, "Trial", lambda *_: Found(overlap))
    said = []
    choose.settings(Proposal(TABLE, {}), {}, [], "auto", said.append)
    warnings = [line for line in said if "than a box that stays" in line]
    assert [f"tracks {warning} than" in line for line in warnings] == [True] * bool(warning)


class Found:
    """In the place of a ``Trial`` with one overlap in each step; 0.6 where the box stays."""

    steps = [1, 2]
    unmoved = 0.6

    def __init__(self, overlap):
        self.overlap = overlap

    def overlaps(self, networks):
        return np.full((len(networks), 2), self.overlap)

    def close(self):
        pass


def test_a_network_that_tracks_badly_is_warned_of(tmp_path, clips, capsys):
    files, out = files_of(tmp_path, "lighttrack"), str(tmp_path / "out")
    given = ["add"] + files + ["--clips", str(clips), "--out", out, "--like", "lighttrack"]
    assert main(given + ["--name", "good"]) == 0
    assert "warning" not in capsys.readouterr().out
    multiply(tmp_path, max, (0.5,) * 4)
    for path in (tmp_path / "out").glob("*.onnx"):
        path.unlink()
    assert main(given + ["--name", "bad"]) == 0
    said = capsys.readouterr().out
    assert "damaged" in said and "wrote" in said

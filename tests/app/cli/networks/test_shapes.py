"""``networks show --shape`` makes a network that is not trained, and a board's bundle of it."""

import importlib.util

import numpy as np
import pytest

from hotpath.app.cli.networks.__main__ import main
from hotpath.kernels import projects

needs_torch = pytest.mark.skipif(
    not importlib.util.find_spec("hotpath_research"),
    reason="hotpath_research is not installed: make setup ALSO=research",
)


@needs_torch
def test_a_shape_is_shown_timed_and_becomes_a_bundle_that_tracks(tmp_path, monkeypatch, capsys):
    from hotpath.deploy.bundles.__main__ import main as build
    from hotpath.runtime import load_tracker

    monkeypatch.chdir(tmp_path)
    assert main(["show", "--shape", "four", "--head", "8", "8", "0"]) == 0
    said = capsys.readouterr().out
    assert "ms a frame (median) on CPU" in said
    assert "receptive field" in said
    command = said[said.rindex("`make engine") :].strip("`\n").split()
    toml = command[-1].rpartition("=")[2]
    assert build(["host", "--network", toml, "--precision", "fp32", "--out", "engines"]) == 0
    (bundle,) = (tmp_path / "engines" / "host").iterdir()
    tracker = load_tracker(bundle=str(bundle))
    frame = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
    tracker.init(frame, (100, 80, 40, 40))
    assert np.isfinite(tracker.update(frame).box).all()


@needs_torch
def test_a_shape_that_there_is_not_ends_with_its_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["show", "--shape", "fifteen"]) == 2
    said = capsys.readouterr().err
    assert "fifteen" in said
    assert len(said.splitlines()) == 1


def test_a_shape_needs_the_training(monkeypatch, capsys):
    monkeypatch.setattr(projects, "find", lambda name: None)
    assert main(["show", "--shape", "nine"]) == 2
    assert "projects/research" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["kestrel", "--shape", "nine"]])
def test_either_a_network_or_a_shape_is_named(words, capsys):
    assert main(["show", *words]) == 2
    assert "--shape" in capsys.readouterr().err

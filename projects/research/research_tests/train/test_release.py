"""Weights that replace those that ship, and what is made anew with them."""

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from hotpath.calib.errors import BadRun  # noqa: E402  (after the check for torch)
from hotpath.deploy.bundles import prepared  # noqa: E402
from hotpath.runtime.networks import FOLDER, load_network  # noqa: E402
from hotpath_lab.longterm import films  # noqa: E402
from hotpath_research.train import release  # noqa: E402
from hotpath_research.train.network import Kestrel  # noqa: E402
from tests.support import tiny  # noqa: E402
from tests.support.clips import write_clip  # noqa: E402

SHIPPED = ["kestrel-ranges.json"]
SHIPPED += [f"kestrel{end}" for end in (".toml", "_exemplar.onnx", "_search.onnx")]
SHIPPED += [f"int8/kestrel-int8{end}" for end in (".toml", "_exemplar.onnx", "_search.onnx")]
TOMLS = ("kestrel.toml", "int8/kestrel-int8.toml")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A repository with what ships, two clips, and a checkpoint that has learnt nothing."""
    folder = tmp_path_factory.mktemp("world")
    root = folder / "repository"
    (root / "hotpath" / "runtime" / "networks" / "int8").mkdir(parents=True)
    for name in SHIPPED:
        (root / "hotpath" / "runtime" / "networks" / name).write_bytes((FOLDER / name).read_bytes())
    for toml in ("{}.toml", "int8/{}-int8.toml"):  # the same weights under another name
        text = (root / "hotpath" / "runtime" / "networks" / toml.format("kestrel")).read_text()
        (root / "hotpath" / "runtime" / "networks" / toml.format("kestrel_fast")).write_text(text)
    for name, first in (("one", 0), ("two", 40)):
        frames, boxes = (each[first:] for each in tiny.film(first + 24))
        write_clip(folder / "clips" / name, frames, boxes)
    torch.manual_seed(0)
    network = Kestrel().eval()
    state = {"config": network.config, "average": network.state_dict()}
    torch.save(state, folder / "nothing.pt")
    return folder


def options(world, *more):
    clips = str(world / "clips")
    folders = ["--root", str(world / "repository"), "--out", str(world / "out")]
    sets = ["--clips", clips, "--validation", clips]
    return release.parser().parse_args([str(world / "nothing.pt"), *sets, *folders, *more])


@pytest.mark.slow("it exports, quantises and judges a network")
def test_weights_that_are_not_better_are_not_installed(world):
    folder = world / "repository" / "hotpath" / "runtime" / "networks"
    before = {name: (folder / name).read_bytes() for name in SHIPPED}
    with pytest.raises(BadRun, match="nothing was installed"):
        release.run(options(world, "--steps", "export", "int8", "judge", "install"))
    assert before == {name: (folder / name).read_bytes() for name in SHIPPED}
    release.run(options(world, "--steps", "install"))
    assert all(before[name] != (folder / name).read_bytes() for name in SHIPPED)
    for name in TOMLS:
        network, shipped = load_network(str(folder / name)), load_network("kestrel")
        assert network.locate()
        for key in ("search_lost_below", "look_above", "found_above"):
            assert getattr(network, key) == getattr(shipped, key) > 0
    for name in SHIPPED:
        (folder / name).write_bytes(before[name])


def test_the_search_is_fitted_to_films_and_left_out_without(world, capsys):
    folder = world / "repository" / "hotpath" / "runtime" / "networks"
    before = (folder / "kestrel.toml").read_text()
    release.run(options(world, "--steps", "search"))
    messages = capsys.readouterr().err
    stay = f"search_lost_below {load_network('kestrel').search_lost_below:g}"
    assert "no --films" in messages and stay in messages
    assert (folder / "kestrel.toml").read_text() == before
    with pytest.raises(BadRun, match="none.json.*longterm.films"):
        release.run(options(world, "--steps", "search", "--films", "none.json"))


def test_a_search_that_cannot_be_fitted_stops_the_command(world, tmp_path, capsys):
    entry = {"name": "film", "half": "development", "clip": "away", "scene": "away"}
    film = dict(entry, alike={"clip": "away"}, events=[], seed=0)
    (tmp_path / "films.json").write_text(json.dumps({"format": films.FORMAT, "films": [film]}))
    more = ["--films", str(tmp_path / "films.json"), "--film-clips", str(world / "clips")]
    with pytest.raises(BadRun, match="hotpath_lab.thresholds failed"):
        release.run(options(world, "--steps", "search", "prepared", *more))
    messages = capsys.readouterr().err
    assert "clip away" in messages and "-- prepared" not in messages


def test_what_belongs_to_another_network_is_left_out_and_said(world, capsys):
    release.run(options(world, "--name", "kestrel_fast", "--steps", "prepared"))
    messages = capsys.readouterr().err
    assert "left out: kestrel_fast" in messages


def test_the_copy_for_boards_is_prepared_anew(world):
    shipped = world / "repository" / "hotpath" / "deploy" / "bundles" / "shipped" / "kestrel"
    shipped.mkdir(parents=True)
    (shipped / "old.onnx").write_bytes(b"old")
    (world / "repository" / release.REFERENCE).mkdir(parents=True)
    release.run(options(world, "--steps", "prepared"))
    assert (world / "repository" / release.REFERENCE / "reference-kestrel.npz").is_file()
    kept = prepared.read(shipped)
    assert "whole-search0.onnx" in kept["files"] and not (shipped / "old.onnx").exists()

"""Two joined networks give the weighted mean of their maps."""

import numpy as np
import pytest

from hotpath.app.cli.networks.__main__ import main
from hotpath.deploy.doctor.bringup import reference
from hotpath.runtime import engines, load_tracker
from hotpath.runtime.networks import load_network
from hotpath.runtime.options import Options
from tests.support import blobs, tiny

BOTH = ["onnxruntime", "openvino"]
SHARE = 0.3  # of the second network


def crops(network):
    """A smooth crop of the exemplar and one of the search region, uint8 BGR."""
    shown = []
    for side, shift in ((network.exemplar, 0.0), (network.search, 1.3)):
        y, x = np.mgrid[:side, :side] * (7.0 / side)
        waves = [np.sin(x + shift + k) * np.cos((k + 1) * y) for k in range(3)]
        shown.append((127.5 + 120 * np.stack(waves, axis=-1)).astype(np.uint8))
    return shown


def maps_of(network, engine, networks_dir=None):
    """The maps of a network for the same two crops."""
    opened = engines.create(engine, network, network.locate(networks_dir), Options(threads=1))
    try:
        return reference.run(opened, *crops(network))
    finally:
        opened.close()


def joined(folder, first, second, *more):
    """The joined network."""
    arguments = ["join", str(first), str(second), "--out", str(folder / "both"), *more]
    assert main(arguments) == 0
    return load_network(folder / "both.toml")


def check_mean(found, first, second, share, atol):
    assert len(found) == len(first) == len(second)
    for mean, one, other in zip(found, first, second):
        np.testing.assert_allclose(mean, (1 - share) * one + share * other, rtol=0, atol=atol)
    apart = max(np.abs(one - other).max() for one, other in zip(first, second))
    assert apart > 10 * atol  # else any share would do


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The folder of kestrel and LightFC, joined with .3 of the latter."""
    folder = tmp_path_factory.mktemp("joined")
    joined(folder, "kestrel", "lightfc", "--weight", str(SHARE))
    return folder


@pytest.mark.parametrize("engine", BOTH)
def test_the_maps_are_the_weighted_mean_of_both_networks(both, engine):
    alone = [maps_of(load_network(name), engine) for name in ("kestrel", "lightfc")]
    check_mean(maps_of(load_network(both / "both.toml"), engine), *alone, SHARE, 2e-4)


def test_the_int8_form_is_the_weighted_mean_of_both_int8_forms(both):
    form = load_network(both / "both-int8.toml")
    alone = [maps_of(load_network(f"{n}-int8"), "onnxruntime") for n in ("kestrel", "lightfc")]
    check_mean(maps_of(form, "onnxruntime"), *alone, SHARE, 2e-4)
    assert main(["check", str(both / "both.toml")]) == 0  # the form fits the floats


@pytest.mark.parametrize("engine", BOTH)
def test_the_network_that_ships_is_the_mean_of_kestrel_and_lightfc(engine):
    names = ("kestrel-int8", "lightfc-int8")
    alone = [maps_of(load_network(name), engine) for name in names]
    check_mean(maps_of(load_network("kestrel_duo-int8"), engine), *alone, 0.5, 2e-4)


def test_other_colours_of_the_second_network_are_folded_in(tmp_path):
    first = tiny.write_network(tmp_path, tiny.TOML)
    (tmp_path / "other").mkdir()
    colours = 'channels = "RGB"\nmean = [10.0, 60.0, 110.0]\nscale = [0.02, 0.01, 0.03]\n'
    text = tiny.TOML.replace("[head]", colours + "\n[head]")
    second = tiny.write_network(tmp_path / "other", text)
    mean = joined(tmp_path, first, second, "--weight", "0.25")
    alone = [maps_of(load_network(path), "onnxruntime") for path in (first, second)]
    check_mean(maps_of(mean, "onnxruntime"), *alone, 0.25, 1e-3)


def test_networks_of_two_opsets_are_joined(tmp_path, networks_dir):
    names = ("nanotrack_v2", "nanotrack_v1")
    mean = joined(tmp_path, *names, "--networks-dir", str(networks_dir))
    alone = [maps_of(load_network(name), "onnxruntime", networks_dir) for name in names]
    check_mean(maps_of(mean, "onnxruntime"), *alone, 0.5, 1e-3)


def test_a_joined_network_tracks(both):
    pictures, boxes = blobs.film(8)
    tracker = load_tracker(both / "both.toml", precision="int8")
    found = tiny.boxes_of(tracker, pictures, boxes)
    centres = np.asarray(found)[:, :2] + np.asarray(found)[:, 2:] / 2
    wanted = np.asarray(boxes)[: len(found), :2] + np.asarray(boxes)[: len(found), 2:] / 2
    assert np.abs(centres - wanted).max() < 8


@pytest.mark.parametrize(
    "first, second, said",
    [
        ("nanotrack_v2", "nanotrack_v3", "map_size is 16 and 15"),
        ("kestrel", "kestrel_fast", "family is centre and points"),
        ("nanotrack_v2", "kestrel_fast", "score is softmax and sigmoid"),
    ],
)
def test_networks_that_do_not_fit_are_refused_in_one_sentence(
    tmp_path, capsys, first, second, said
):
    arguments = ["join", first, second, "--out", str(tmp_path / "both")]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert f"{first} and {second} can't be joined: {said}" in error
    assert len(error.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_share_that_is_none_and_a_name_that_is_taken_are_refused(tmp_path, capsys):
    arguments = ["join", "kestrel", "lightfc", "--out", str(tmp_path / "both")]
    assert main([*arguments, "--weight", "1.5"]) == 2
    assert "give a number from 0 to 1" in capsys.readouterr().err
    (tmp_path / "both.toml").write_text("mine")
    assert main(arguments) == 2
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "both.toml").read_text() == "mine"

"""Strangers turn a classifier's value into a similarity, and their file is named by its hash."""

import hashlib
import math
from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.frames import colour
from hotpath.runtime.identity.identity import above_chance
from hotpath.runtime.identity.learner import negatives
from hotpath.runtime.identity.learner.negatives import PARTS, UNKNOWN, Negatives
from hotpath.runtime.network import NETWORKS
from hotpath.runtime.networks import load_network, names
from hotpath_lab import negatives as describing
from tests.support import tiny
from tests.support.errors import refusal

CHANNELS, COUNT = 5, 40
RED, GREY, BLUE = np.eye(colour.BINS)[[0, -1, 20]]


def of_looks(judged, looks, judge, version):
    """What looks alone prove."""
    judged._colours = None
    return above_chance(
        looks, judged.chances((), SimpleNamespace(predict=judge, solved=version))[0]
    )


def of_colours(judged, alike, references):
    """What colours prove: 0 as chance, 1 as the target."""
    judged.begin(np.zeros(CHANNELS, np.float32))
    ridge = SimpleNamespace(predict=lambda boxes: np.zeros(COUNT), solved=1)
    return above_chance(alike, judged.chances(references, ridge)[1])


@pytest.fixture
def rows():
    return np.random.RandomState(1).rand(COUNT, CHANNELS * PARTS**2).astype(np.float32)


@pytest.fixture
def toml(tmp_path, rows):
    """The TOML of a network with negatives."""
    path = tiny.write_network(tmp_path)
    file = tmp_path / "tiny-negatives.npz"
    greys = np.tile(GREY, (COUNT, 1)) * 0.9 + np.random.RandomState(2).rand(COUNT, 1) * BLUE
    greys[0] = RED
    describing.write(str(file), rows, greys / greys.sum(axis=1, keepdims=True), "a test")
    describing.name_in(path, file)
    return path


def test_a_byte_a_number_keeps_the_features(toml, rows):
    network = load_network(toml)
    features, colours = negatives.read(str(network.locate_made(network.negatives)))
    assert np.abs(features - rows).max() < 1 / 127
    assert colours.shape == (COUNT, colour.BINS)
    assert (colours**2).sum(axis=1) == pytest.approx(np.ones(COUNT))


def test_chance_is_zero_and_the_target_one(toml):
    judged = Negatives(load_network(toml))
    judged.begin(np.zeros(CHANNELS, np.float32))
    values = np.linspace(-1, 0.2, COUNT)
    chance = values[int(COUNT * 0.95)]
    assert of_looks(judged, chance, lambda boxes: values, 1) == pytest.approx(0.0)
    assert of_looks(judged, 1.0, lambda boxes: values, 1) == pytest.approx(1.0)
    # what is learnt changes what chance reaches
    assert of_looks(judged, chance, lambda boxes: values - 0.5, 2) > 0.2


def test_a_colour_that_many_strangers_have_proves_little(toml):
    judged = Negatives(load_network(toml))
    common, rare = (GREY, GREY), (RED, RED)
    for alike in (0.7, 0.95):
        assert of_colours(judged, alike, common) < of_colours(judged, alike, rare)
    assert of_colours(judged, 1.0, rare) == pytest.approx(1.0)
    assert of_colours(judged, 0.0, rare) == pytest.approx(0.0)  # only one in forty is red
    assert of_colours(judged, 0.9, common) < 0  # grey, and less so than chance
    # the reference that is most alike counts
    assert of_colours(judged, 0.9, (RED, GREY)) < 0


def test_what_colours_reach_by_chance_follows_the_target(toml):
    judged = Negatives(load_network(toml))
    first = RED.copy()
    before = of_colours(judged, 0.9, (first, RED))
    values = [of_colours(judged, 0.9, (first, GREY)) for _ in range(negatives.COLOURS_KEPT)]
    assert values[0] == before and values[-1] < 0  # not in each frame
    assert of_colours(judged, 0.9, (RED.copy(), RED)) == before  # at once for a new target


def test_without_colours_coloured_strangers_are_as_grey(toml, rows):
    file = toml.parent / "red.npz"
    describing.write(str(file), rows, np.tile(RED, (COUNT, 1)), "a test")
    describing.name_in(toml, file)
    judged = Negatives(load_network(toml))
    dark, bright = np.zeros((2, colour.BINS))
    dark[[-colour.GREYS, 1 - colour.GREYS]], bright[-1] = 0.5**0.5, 1.0
    assert of_colours(judged, 0.9, (dark, dark)) < 0  # as dark as that red
    assert of_colours(judged, 0.9, (bright, bright)) == pytest.approx(0.9)


def test_a_file_without_colours_proves_by_looks_alone(toml, rows):
    with np.load(str(toml.parent / "tiny-negatives.npz")) as file:
        kept = {name: file[name] for name in ("rows", "scale", "source")}
    np.savez(str(toml.parent / "older.npz"), **kept)
    describing.name_in(toml, toml.parent / "older.npz")
    judged = Negatives(load_network(toml))
    assert of_colours(judged, 0.0, (RED, RED)) == math.inf


def test_without_a_file_chance_is_a_fixed_value(tmp_path):
    judged = Negatives(load_network(tiny.write_network(tmp_path)))
    judged.begin(np.zeros(CHANNELS, np.float32))
    assert of_looks(judged, UNKNOWN, None, 1) == 0.0
    assert of_colours(judged, 0.0, (RED, RED)) == math.inf
    assert of_looks(judged, 1.0, None, 1) == pytest.approx(1.0)


def test_another_file_of_that_name_is_refused(toml):
    with open(str(toml.parent / "tiny-negatives.npz"), "ab") as file:
        file.write(b"x")
    with refusal(BadNetwork, "other file", command="hotpath_lab.negatives"):
        Negatives(load_network(toml))


def test_strangers_of_another_network_are_refused(toml):
    judged = Negatives(load_network(toml))
    with refusal(BadNetwork, "other network"):
        judged.begin(np.zeros(CHANNELS + 1, np.float32))


def test_a_file_that_holds_none_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    path.write_bytes(b"nothing")
    with refusal(BadNetwork, "not read"):
        negatives.read(str(path))


def test_a_second_time_replaces_the_section(toml, tmp_path):
    other = tmp_path / "others.npz"
    other.write_bytes(b"1")
    describing.name_in(toml, other)
    text = toml.read_text()
    assert text.count("[negatives]") == 1 and text.count("sha256") >= 1
    made = load_network(toml).negatives
    assert made[:2] == ("others.npz", hashlib.sha256(b"1").hexdigest())


@pytest.mark.parametrize("name", [n for n in names() if getattr(load_network(n), "found_above", 0)])
def test_searching_networks_ship_strangers_of_their_weights(name):
    """New weights need new strangers: ``python -m hotpath_lab.negatives --network NAME``."""
    network = load_network(name)
    path = network.locate_made(network.negatives)
    assert path.stat().st_size <= 64 << 10
    with np.load(str(path), allow_pickle=False) as file:
        assert len(file["rows"]) == len(file["colours"]) >= 100
        assert describing.fingerprint(network) in str(file["source"])
    form = NETWORKS / "int8" / (name + "-int8.toml")
    if form.is_file():
        assert load_network(form).negatives == network.negatives


def test_the_objects_of_a_clip_are_a_few_of_its_frames():
    boxes = np.tile([1.0, 1.0, 30.0, 30.0], (9, 1))
    boxes[0] = np.nan
    boxes[1, 2:] = 3.0  # too small

    class Clip(list):
        """Frames, here only their numbers."""

    clip = Clip(range(9))
    clip.boxes = boxes
    objects = list(describing.objects_of([clip]))
    assert 0 < len(objects) <= describing.OF_A_CLIP
    assert all(index > 1 for index, _ in objects)

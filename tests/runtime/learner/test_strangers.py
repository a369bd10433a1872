"""Strangers turn a classifier's value into a proof, and their file is named by its hash."""

import hashlib

import numpy as np
import pytest

from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.learner import describing, strangers
from hotpath.runtime.learner.strangers import PARTS, UNKNOWN, Strangers
from hotpath.runtime.network import NETWORKS
from hotpath.runtime.networks import load_network, names
from tests.support import tiny
from tests.support.errors import refusal

CHANNELS, COUNT = 5, 40


@pytest.fixture
def rows():
    return np.random.RandomState(1).rand(COUNT, CHANNELS * PARTS**2).astype(np.float32)


@pytest.fixture
def toml(tmp_path, rows):
    """The TOML of a network with strangers."""
    path = tiny.write_network(tmp_path)
    file = tmp_path / "tiny-strangers.npz"
    strangers.write(str(file), rows, "a test")
    describing.name_in(path, file)
    return path


def test_a_byte_a_number_keeps_the_features(toml, rows):
    network = load_network(toml)
    read = strangers.read(str(network.locate_made(network.strangers)))
    assert np.abs(read - rows).max() < 1 / 127


def test_chance_is_zero_and_the_target_one(toml):
    judged = Strangers(load_network(toml))
    judged.begin(np.zeros(CHANNELS, np.float32))
    values = np.linspace(-1, 0.2, COUNT)
    chance = values[int(COUNT * 0.95)]
    assert judged.proof(chance, lambda boxes: values, 1) == pytest.approx(0.0)
    assert judged.proof(1.0, lambda boxes: values, 1) == pytest.approx(1.0)
    # what is learnt changes what chance reaches
    assert judged.proof(chance, lambda boxes: values - 0.5, 2) > 0.2


def test_without_a_file_chance_is_a_fixed_value(tmp_path):
    judged = Strangers(load_network(tiny.write_network(tmp_path)))
    judged.begin(np.zeros(CHANNELS, np.float32))
    assert judged.proof(UNKNOWN, None, 1) == 0.0
    assert judged.proof(1.0, None, 1) == pytest.approx(1.0)


def test_another_file_of_that_name_is_refused(toml):
    with open(str(toml.parent / "tiny-strangers.npz"), "ab") as file:
        file.write(b"x")
    with refusal(BadNetwork, "other file", command="hotpath.calib.strangers"):
        Strangers(load_network(toml))


def test_strangers_of_another_network_are_refused(toml):
    judged = Strangers(load_network(toml))
    with refusal(BadNetwork, "other network"):
        judged.begin(np.zeros(CHANNELS + 1, np.float32))


def test_a_file_that_holds_none_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    path.write_bytes(b"nothing")
    with refusal(BadNetwork, "not read"):
        strangers.read(str(path))


def test_a_second_time_replaces_the_section(toml, tmp_path):
    other = tmp_path / "others.npz"
    other.write_bytes(b"1")
    describing.name_in(toml, other)
    text = toml.read_text()
    assert text.count("[strangers]") == 1 and text.count("sha256") >= 1
    made = load_network(toml).strangers
    assert made[:2] == ("others.npz", hashlib.sha256(b"1").hexdigest())


@pytest.mark.parametrize("name", [n for n in names() if getattr(load_network(n), "found_above", 0)])
def test_networks_that_search_ship_strangers_of_their_own_weights(name):
    """New weights need new strangers: ``python -m hotpath.calib.strangers --network NAME``."""
    network = load_network(name)
    path = network.locate_made(network.strangers)
    assert path.stat().st_size <= 64 << 10
    with np.load(str(path), allow_pickle=False) as file:
        assert len(file["rows"]) >= 100
        assert describing.fingerprint(network) in str(file["source"])
    form = NETWORKS / "int8" / (name + "-int8.toml")
    if form.is_file():
        assert load_network(form).strangers == network.strangers


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

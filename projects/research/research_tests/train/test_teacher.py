"""What a student gets from its teacher."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("openvino")

from hotpath.calib.errors import NoTeacher  # noqa: E402
from hotpath.runtime import engines  # noqa: E402
from hotpath.runtime.networks import load_network  # noqa: E402
from hotpath_research.train.bank import VIDEO, build_bank  # noqa: E402
from hotpath_research.train.films import Films, write_tracks  # noqa: E402
from hotpath_research.train.network import Backbone  # noqa: E402
from hotpath_research.train.start import begin  # noqa: E402
from hotpath_research.train.teacher import Teacher  # noqa: E402
from research_tests.training import TEACHER, write_training  # noqa: E402


@pytest.fixture(scope="module")
def crops():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (12, 16, 16, 3)).astype(np.uint8)
    return small.repeat(16, 1).repeat(16, 2)


@pytest.fixture(scope="module")
def teacher():
    return Teacher(TEACHER)


def run_by_the_runtime(name, exemplar, search):
    network = load_network(name)
    engine = engines.create("onnxruntime", network, network.locate())
    mean, scale = np.array(network.mean), np.array(network.scale)
    for crop, out in ((exemplar, engine.exemplar_crop), (search, engine.search_crop)):
        out[...] = ((crop[..., ::-1] - mean) * scale).transpose(2, 0, 1)[None]
    return [np.array(each[0]) for each in engine.search(engine.exemplar())]


def test_a_teacher_says_what_the_runtime_computes(teacher, crops):
    learnt = teacher.learn(crops[0][:128, :128], crops[1])
    wanted = run_by_the_runtime("kestrel", crops[0][:128, :128], crops[1])
    found = (learnt.probability[None], learnt.size, learnt.offset)
    for ours, theirs in zip(found, wanted):
        assert abs(ours - theirs).mean() < 0.02


def test_an_int8_form_is_no_teacher():
    toml = str(load_network("kestrel").path).replace("kestrel.toml", "int8/kestrel-int8.toml")
    with pytest.raises(NoTeacher, match="name the fp32 network"):
        Teacher(toml)


def test_a_backbone_begins_with_the_teachers_features(teacher, crops):
    """With the teacher's stem too, what comes out would be its features, standardised."""
    held = {"search": crops, "exemplar": crops[:, :128, :128]}
    learnt = [teacher.learn(z, x) for z, x in zip(held["exemplar"], crops)]
    held.update(
        exemplar_features=np.stack([each.exemplar_features for each in learnt]),
        search_features=np.stack([each.search_features for each in learnt]),
    )
    backbone = Backbone("nine", teacher.channels).eval()
    begin(backbone, teacher, held)
    blocks = teacher.blocks(crops)
    first = next(layer for layer in backbone.layers if hasattr(layer, "expand"))
    convolution = blocks[-9].convolutions[0]
    x = torch.randn(2, 32, 16, 16)
    with torch.no_grad():
        ours = first.expand(x)
    weight = torch.from_numpy(np.array(convolution.weight))
    theirs = torch.nn.functional.conv2d(x, weight, torch.from_numpy(np.array(convolution.bias)))
    torch.testing.assert_close(ours, theirs.relu(), atol=1e-3, rtol=1e-3)
    features = torch.from_numpy(held["search_features"])
    standard = backbone.standardised(features)
    assert abs(float(standard.mean())) < 0.2 and float(standard.std()) == pytest.approx(1, abs=0.2)
    with torch.no_grad():
        torch.testing.assert_close(backbone.project(features), standard, atol=1e-3, rtol=1e-3)


def test_tracks_hold_the_pictures_in_which_the_teacher_was_sure(tmp_path, teacher):
    write_training(tmp_path)
    bank = build_bank(tmp_path / "bank", [tmp_path / "images"], [tmp_path / "videos"])
    moving = np.flatnonzero(bank.kind == VIDEO)
    for index, at in zip(moving, [*range(12), *range(12)]):
        bank.boxes[index] = (60 + 6 * at, 80, 40, 40)  # the square
    write_tracks(bank, teacher, tmp_path / "films.npz", 0)
    films = Films(tmp_path / "films.npz")
    assert len(films) > 0
    for track in films.tracks:
        first, last = track[0], track[-1]
        assert (np.diff(track[:, 0]) > 0).all() and set(track[:, 0]) <= set(moving)
        steps = last[0] - first[0]
        assert last[1] - first[1] == pytest.approx(6 * steps, abs=12)

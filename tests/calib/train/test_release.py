"""Weights that replace those that ship, and what is made anew with them."""

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training needs torch: pip install '.[train]'")
pytest.importorskip("onnxruntime")

from calib.errors import BadRun  # noqa: E402  (after the check for torch)
from calib.train import release  # noqa: E402
from calib.train.network import Kestrel  # noqa: E402
from runtime.networks import FOLDER, load_network  # noqa: E402
from tests.support import tiny  # noqa: E402

README = "| `kestrel` (default) | points | .111 | our own | in the repository |\n"
SHIPPED = (
    "kestrel.toml",
    "kestrel_exemplar.onnx",
    "kestrel_search.onnx",
    "kestrel-ranges.json",
    "int8/kestrel-int8.toml",
    "int8/kestrel-int8_exemplar.onnx",
    "int8/kestrel-int8_search.onnx",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A repository with what ships, two clips, and a checkpoint that has learnt nothing."""
    folder = tmp_path_factory.mktemp("world")
    root = folder / "repository"
    (root / "runtime" / "networks" / "int8").mkdir(parents=True)
    (root / "docs").mkdir()
    (root / ".cache").mkdir()
    for name in SHIPPED:
        (root / "runtime" / "networks" / name).write_bytes((FOLDER / name).read_bytes())
    (root / "README.md").write_text(README)
    for name, first in (("one", 0), ("two", 40)):
        clip = folder / "clips" / name
        clip.mkdir(parents=True)
        frames, boxes = tiny.film(first + 24)
        rows = ["frame,x,y,w,h"]
        for index, (frame, box) in enumerate(list(zip(frames, boxes))[first:]):
            cv2.imwrite(str(clip / "{:04d}.png".format(index)), frame)
            rows.append("{},{},{},{},{}".format(index, *box))
        (clip / "boxes.csv").write_text("\n".join(rows))
    torch.manual_seed(0)
    network = Kestrel().eval()
    state = {"config": network.config, "average": network.state_dict()}
    torch.save(state, folder / "nothing.pt")
    return folder


def options(world, *more):
    clips = str(world / "clips")
    folders = ["--root", str(world / "repository"), "--out", str(world / "out")]
    sets = ["--clips", clips, "--gain", clips, "--keep", clips]
    return release.parser().parse_args([str(world / "nothing.pt"), *sets, *folders, *more])


@pytest.mark.slow
def test_weights_that_are_not_better_are_not_installed(world):
    folder = world / "repository" / "runtime" / "networks"
    before = {name: (folder / name).read_bytes() for name in SHIPPED}
    with pytest.raises(BadRun, match="not better than what ships; nothing was installed"):
        release.run(options(world))
    assert before == {name: (folder / name).read_bytes() for name in SHIPPED}
    release.run(options(world, "--steps", "install"))
    assert all(before[name] != (folder / name).read_bytes() for name in SHIPPED)
    for name in ("kestrel.toml", "int8/kestrel-int8.toml"):
        network, shipped = load_network(str(folder / name)), load_network("kestrel")
        assert network.locate()
        for key in ("unsure_below", "doubt_below", "look_above", "found_above"):
            assert getattr(network, key) == getattr(shipped, key) > 0
    for name in SHIPPED:
        (folder / name).write_bytes(before[name])


def test_the_threshold_and_the_figure_of_the_readme_are_those_measured(world):
    root = world / "repository"
    release.run(options(world, "--steps", "thresholds", "figures"))
    for name in ("kestrel.toml", "int8/kestrel-int8.toml"):
        network = load_network(str(root / "runtime" / "networks" / name))
        assert network.lost_below != load_network("kestrel").lost_below
    text = (root / "README.md").read_text()
    overlap = float(text.split("|")[3])
    assert 0.5 < overlap < 1 and text == README.replace(".111", "{:.3f}".format(overlap)[1:])


def test_the_picture_shows_three_frames_with_boxes(world):
    root = world / "repository"
    clip = root / release.CLIP
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter_fourcc(*"mp4v"), 25, (176, 144))
    x, y, w, h = release.FACE
    for index in range(111):
        frame = np.full((144, 176, 3), 60, np.uint8)
        frame[y : y + h, x + index // 8 : x + index // 8 + w] = (90, 140, 220)
        writer.write(frame)
    writer.release()
    release.run(options(world, "--steps", "picture"))
    picture = cv2.imread(str(root / "docs" / "track.png"))
    assert picture.shape == (288, 3 * 352 + 2 * 8, 3)
    assert (picture[:, 352:360] == 255).all()


def test_a_missing_clip_is_named(world, tmp_path):
    with pytest.raises(BadRun, match="make track"):
        release.run(options(world, "--steps", "picture", "--root", str(tmp_path)))


def test_a_place_that_is_not_found_once_is_named(tmp_path):
    (tmp_path / "text").write_text("a 1\na 1\n")
    with pytest.raises(BadRun, match="2 places"):
        release.replace(tmp_path / "text", "(a )1", "2")

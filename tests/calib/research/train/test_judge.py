"""The command that decides between two networks."""

import cv2
import numpy as np
import onnx
import pytest

from calib.research.train import judge
from tests.support import tiny

pytest.importorskip("onnxruntime")


@pytest.fixture
def world(tmp_path):
    """Two clips of a bright square, a network that finds it and one whose boxes are too large."""
    for name, seed in (("one", 0), ("two", 1)):
        folder = tmp_path / "clips" / name
        folder.mkdir(parents=True)
        frames, boxes = tiny.film(6)
        rows = ["frame,x,y,w,h"]
        for index, (frame, box) in enumerate(zip(frames, boxes)):
            frame = np.roll(frame, seed, 1)
            cv2.imwrite(str(folder / f"{index:04d}.png"), frame)
            rows.append(",".join(map(str, (index, box[0] + seed, *box[1:]))))
        (folder / "boxes.csv").write_text("\n".join(rows))
    large = tmp_path / "large"
    large.mkdir()
    paths = tiny.write_network(tmp_path), tiny.write_network(large)
    head = onnx.load(str(large / "tiny_head.onnx"))
    sizes = next(value for value in head.graph.initializer if value.name == "log")
    more = onnx.numpy_helper.to_array(sizes) + np.float32(np.log(1.5))
    sizes.CopyFrom(onnx.numpy_helper.from_array(more, "log"))
    onnx.save(head, str(large / "tiny_head.onnx"))
    return (tmp_path / "clips", *paths)


def test_a_network_is_not_better_than_itself(world, capsys):
    clips, good, _ = world
    code = judge.main([str(good), "--against", str(good), "--gain", str(clips)])
    assert code == 1 and "is not better than" in capsys.readouterr().out


@pytest.mark.slow("two networks are judged both ways")
def test_better_boxes_win_and_worse_ones_do_not(world, capsys):
    clips, good, large = (str(path) for path in world)
    assert judge.main([good, "--against", large, "--gain", clips]) == 0
    assert "is better than" in capsys.readouterr().out
    assert judge.main([good, large, "--against", large, "--gain", clips]) == 1
    assert judge.main([large, "--against", good, "--gain", clips, "--keep", clips]) == 1
    assert "is a loss of more than one standard error" in capsys.readouterr().out


def test_a_freer_licence_needs_an_equal_network(world, capsys):
    clips, good, large = (str(path) for path in world)
    sets = ["--gain", clips, "--keep", clips, "--repeats", "1"]
    assert judge.main([good, "--against", good, *sets, "--equal"]) == 0
    assert "is equal to" in capsys.readouterr().out
    assert judge.main([large, "--against", good, *sets, "--equal"]) == 1
    found = capsys.readouterr().out
    assert "is not equal to" in found and "all sets together" in found


def test_a_set_without_clips_is_a_mistake(world, tmp_path, capsys):
    _, good, _ = world
    (tmp_path / "none").mkdir()
    arguments = [str(good), "--against", str(good), "--gain", str(tmp_path / "none")]
    assert judge.main(arguments) == 2
    assert "holds no frames" in capsys.readouterr().err

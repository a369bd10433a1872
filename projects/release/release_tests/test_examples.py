"""The example in each docstring of docs/api.md is true."""

import doctest
import inspect
import pkgutil
import re
import sys

import cv2
import numpy as np
import pytest

import hotpath
from tests.support import ROOT, object_scene, tiny, tiny_detector

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="documents are read off a board")
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
PUBLIC = [name for name in re.findall(r"^::: (\S+)$", PAGE, re.MULTILINE) if "errors" not in name]
BOXES = [(440, 270, 60, 90), (100, 80, 70, 50)]  # of the targets in the examples


def scene():
    """A frame with a thing in each of the boxes, BGR uint8 (480, 640, 3)."""
    source = object_scene.scene()
    x, y, w, h = object_scene.OBJECT
    frame = np.random.RandomState(5).normal(120, 3, (480, 640, 3)).clip(0, 255).astype(np.uint8)
    for left, top, wide, high in BOXES:
        part = cv2.resize(source[y : y + h, x : x + w], (wide, high))
        frame[top : top + high, left : left + wide] = part
    return frame


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the files that the examples name, and the frame."""
    folder = tmp_path_factory.mktemp("examples")
    frame = scene()
    tiny.write_video(folder / "drone.mp4", [frame] * 3)
    tiny_detector.write_detector(folder).rename(folder / "own.toml")
    return folder, frame


@pytest.mark.parametrize("path", PUBLIC)
def test_each_public_docstring_has_an_example_that_is_true(path, place, monkeypatch):
    folder, frame = place
    monkeypatch.chdir(folder)
    public = pkgutil.resolve_name(path)
    text = inspect.getdoc(public)
    names = {
        name: getattr(hotpath, name) for name in [*hotpath.TYPES, "load_tracker", "load_targets"]
    }
    names.update({public.__name__: public, "frame": frame, "boxes": BOXES})
    examples = doctest.DocTestParser().get_doctest(text, names, public.__name__, None, 0)
    assert examples.examples, "no example"
    messages = []
    failed, tried = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(
        examples, out=messages.append
    )
    assert tried and not failed, "".join(messages)

"""Mutated TOMLs and ONNX files end in one sentence, or in a tracker with sensible boxes."""

import contextlib
import io
import random
import shutil
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from hotpath.app.cli.networks.networks_command import main
from hotpath.runtime import load_tracker
from hotpath.runtime.engines import openvino
from hotpath.runtime.errors import HotpathError
from tests.support import blobs, tiny
from tests.support.examples import count

NETWORKS = ("lighttrack", "siamrpnpp_resnet50", "vittrack", "stark_s50", "siamfc_015")
NUMBERS = "0 -1 1 3 7 0.5 255 4096 1e300 -1e300 1e-300 nan inf -inf 10**30".split()
OTHERS = "true []  [1,2,3] [0,0,0] [1e300,1,1] {} {a=1} 2026-01-01".split()
TEXTS = ['""', '"sigmoid"', '"none"', '"../x"', '["a", "b"]', '"\\u0000"']
VALUES = NUMBERS + OTHERS + TEXTS + ["1" * 400, "0x" + "f" * 6000]
LONGEST_S = 60  # of one case, on a busy computer


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Folders of small networks: one of every family, and one of backbone and head."""
    folders = [tmp_path_factory.mktemp("network") for _ in range(len(NETWORKS) + 1)]
    for folder, name in zip(folders, NETWORKS):
        blobs.write_network(folder, name)
    tiny.write_network(folders[-1])
    return folders


@pytest.fixture(scope="module", autouse=True)
def compile_once():
    """Compile equal graphs once: most mutations leave them as they are, and each is run twice."""
    compiled = {}
    compile_anew = openvino.compile_on_cpu

    def compile_or_take(library, model, threads, **more):
        key = model, threads, str(sorted(more.items()))
        if key not in compiled:
            compiled[key] = compile_anew(library, model, threads, **more)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openvino, "compile_on_cpu", compile_or_take)
        yield


def mutate_toml(text, draw):
    """Change, repeat, swap or remove lines of a TOML."""
    lines = text.splitlines()
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        place, other = draw.randrange(len(lines)), draw.randrange(len(lines))
        how = draw.choice(("value", "value", "value", "value", "remove", "repeat", "swap", "byte"))
        if how == "value" and "=" in lines[place]:
            lines[place] = lines[place].split("=")[0] + "= " + draw.choice(VALUES)
        elif how == "remove" and len(lines) > 1:
            del lines[place]
        elif how == "repeat":
            lines.insert(other, lines[place])
        elif how == "swap":
            lines[place], lines[other] = lines[other], lines[place]
        elif how == "byte" and lines[place]:
            at = draw.randrange(len(lines[place]))
            lines[place] = lines[place][:at] + chr(draw.randrange(1, 300)) + lines[place][at + 1 :]
    return "\n".join(lines) + "\n"


def mutate_onnx(path, draw):
    """Damage the bytes of a file, or one node, tensor or value of its graph."""
    data = bytearray(path.read_bytes())
    how = draw.choice(("bytes", "cut", "node", "input", "tensor", "numbers", "shape", "attribute"))
    if how in ("bytes", "cut"):
        for _ in range(draw.choice((1, 4, 30)) if how == "bytes" else 0):
            data[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes(bytes(data[: draw.randrange(len(data)) if how == "cut" else None]))
        return
    model = onnx.load(str(path))
    graph = model.graph
    node = draw.choice(list(graph.node))
    if how == "node":
        graph.node.remove(node)
    elif how == "input" and node.input:
        names = [name for other in graph.node for name in list(other.input) + list(other.output)]
        node.input[draw.randrange(len(node.input))] = draw.choice(names)
    elif how in ("tensor", "numbers") and graph.initializer:
        tensor = draw.choice(list(graph.initializer))
        array = numpy_helper.to_array(tensor).copy()
        if how == "tensor":
            array = array.reshape(-1)[: max(1, array.size // 2)]
        elif array.size:
            floats = array.dtype.kind == "f"
            special = (0, -1, 1e30, np.inf, np.nan) if floats else (0, -1, 2**40, 7)
            array.reshape(-1)[draw.randrange(array.size)] = draw.choice(special)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    elif how == "shape":
        value = draw.choice(list(graph.input) + list(graph.output))
        value.type.tensor_type.elem_type = draw.choice(
            (TensorProto.FLOAT, TensorProto.INT64, TensorProto.FLOAT16, TensorProto.UINT8)
        )
        for dim in value.type.tensor_type.shape.dim:
            if draw.random() < 0.5:
                dim.dim_value = draw.choice((0, 1, 5, 255, 2**31))
    elif how == "attribute" and node.attribute:
        attribute = draw.choice(list(node.attribute))
        if attribute.ints:
            attribute.ints[draw.randrange(len(attribute.ints))] = draw.choice((-1, 0, 3, 2**40))
        elif attribute.HasField("i"):
            attribute.i = draw.choice((-5, 0, 3, 2**40))
    onnx.save(model, str(path))


def attempt(toml):
    """Check and run a network: None, or its boxes."""
    messages = io.StringIO()
    with contextlib.redirect_stdout(messages), contextlib.redirect_stderr(messages):
        code = main(["check", str(toml)])
    assert code in (0, 2), code
    assert "Traceback" not in messages.getvalue()
    assert code == 0 or messages.getvalue().strip()
    try:
        tracker = load_tracker(toml)
    except HotpathError as error:
        assert code == 2, f"check says all is well, but: {error}"
        return None
    frames, boxes = blobs.film(4)
    tracker.init(frames[0], boxes[0])
    try:
        return [tracker.update(frame).box for frame in frames[1:]]
    except HotpathError:
        return None
    finally:
        tracker.close()


def run_one(originals, folder, seed):
    """Mutate a copy of one network and try it."""
    draw = random.Random(seed)
    source = draw.choice(originals)
    for path in folder.iterdir():
        path.unlink()
    for path in source.iterdir():
        shutil.copy(str(path), str(folder))
    toml = next(folder.glob("*.toml"))
    if draw.random() < 0.5:
        toml.write_bytes(mutate_toml(toml.read_text(), draw).encode("utf-8", "replace"))
    else:
        mutate_onnx(draw.choice(sorted(folder.glob("*.onnx"))), draw)
    started = time.monotonic()
    found = attempt(toml)
    assert time.monotonic() - started < LONGEST_S
    for box in found or ():
        assert np.isfinite(box).all() and np.abs(box).max() < 5000, box
    return found is not None


@pytest.mark.timeout(3000)
def test_mutated_files_end_in_a_sentence_or_in_sensible_boxes(originals, tmp_path):
    ran = [run_one(originals, tmp_path, seed) for seed in range(count(25, 1000))]
    assert 0.08 < np.mean(ran) < 0.92  # some mutations do no harm

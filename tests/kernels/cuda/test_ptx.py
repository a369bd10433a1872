"""The code that the real NVRTC makes of the kernels, interpreted, gives what its definition gives.

Every kernel that a frame of a `points` network runs: aim, crop, remember and select.
"""

import os
import shutil

import numpy as np
import pytest

from kernels.cuda import compile as compiler
from tests.fakes.cuda import build
from tests.fakes.cuda.film import bgr_of
from tests.fakes.cuda.networks import network
from tests.fakes.cuda.nvrtc import ptx
from tests.fakes.cuda.ptx import Machine
from tests.fakes.cuda.ptx_operations import Illegal
from tests.kernels.cuda import test_crop, test_families, test_loss_monitor
from tests.support.examples import few_of

FILES = ("aim", "crop", "points")
# CUDA and compute capability
COMPILED = ("-10.2 52", "-11.8 53", "-11.8 72", "-12.6 53", "-12.6 87", "-13.2 87", "-13.2 110")
STATE = (150.3, 90.6, 60.0, 71.0)
random = np.random.RandomState(3)
FRAMES = {
    "bgr": random.randint(0, 256, (200, 300, 3)).astype(np.uint8),
    "bgrx": random.randint(0, 256, (200, 300, 4)).astype(np.uint8),
    "nv12": random.randint(0, 256, (200, 300)).astype(np.uint8),
}
CHROMA = random.randint(0, 256, (100, 300)).astype(np.uint8)


@pytest.fixture(
    scope="module",
    params=few_of(COMPILED, ["-12.6 87"], "the same kernels by other CUDAs for other GPUs"),
)
def machine(request):
    cuda, capability = request.param.split()
    cuda = "" if cuda == "-12.6" else cuda  # the one that `make fakes` gets
    return Machine(*(ptx(cuda, name, int(capability)) for name in FILES))


def crop(machine, kind, dtype, state=STATE, **options):
    """Check the crop of a frame against its definition, bit for bit."""
    frame, net = FRAMES[kind], network(mean=(104.0, 117.5, 123.0), scale=(0.017, 0.5, 2.0))
    machine.memory, chroma = [frame, CHROMA], CHROMA if kind == "nv12" else None
    picture = test_crop.picture_of(frame, chroma=chroma)
    found, window = test_crop.crop(machine, net, picture, state, dtype=dtype, **options)
    image = bgr_of(frame, CHROMA) if kind == "nv12" else frame[:, :, :3]
    expected = test_crop.expected_crop(net, image, window, dtype=dtype, **options)
    test_crop.same_bits(found, expected)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("kind", sorted(FRAMES))
def test_crop_equals_its_definition(machine, kind, dtype):
    crop(machine, kind, dtype)
    crop(machine, kind, dtype, (4.0, 190.0, 100.0, 30.0), exemplar=True)  # beyond the frame


def select(machine):
    """Check selects of all kinds of maps, boxes and limits against their definition."""
    for seed, score in enumerate(("softmax", "sigmoid", "none")):
        net = network(score=score, map_size=(15, 16, 25)[seed], lr_power=seed)
        test_families.same(machine, net, test_families.random_maps(net, seed), STATE)
        changes = {"quality": ("none", "product", "blend")[seed], "inclusive": seed == 1}
        changes["clip"] = ("corners", "inside", "none")[seed]
        looks = {"crop": "stretched", "exemplar_margin": 0.2, "search_margin": 2.0}
        net = network(score=score, box_pixels="round", **dict(changes, **looks))
        maps = [values.astype(np.float16) for values in test_families.random_maps(net, seed)]
        maps = [values.astype(np.float32) for values in maps]
        test_families.same(machine, net, maps, STATE, half=seed != 1)


def test_select_equals_its_definition(machine):
    select(machine)


@pytest.mark.parametrize("family", ["anchors", "centre", "corners"])
def test_the_other_families_select_as_their_definition(family):
    machine, net = Machine(ptx("", "aim", 87), ptx("", family, 87)), test_families.of_family(family)
    for seed in range(4):
        test_families.same(machine, net, test_families.random_maps(net, seed), STATE)


def test_maps_without_a_finite_vote_have_no_winner(machine):
    net = network()
    scores, distances = test_families.random_maps(net, 1)
    test_families.same(machine, net, (scores * np.nan, distances), STATE)


def watch(machine):
    """Check twelve frames of a target that gets lost, and the features that are remembered."""
    net = network(lost_below=0.6)
    for channels, side in ((48, 16), (3, 5)):
        test_loss_monitor.play(machine, net, channels, side, channels, frames=12)


def test_the_loss_monitor_decides_what_its_definition_decides(machine):
    watch(machine)


def crops(machine):
    """Check a crop of a camera's frame in half precision, beyond the frame."""
    crop(machine, "nv12", "float16", (4.0, 190.0, 100.0, 30.0))


# file, text, what a mistake makes of it, and the check that must notice it
MISTAKES = [
    ("votes.h", "__syncthreads();\n  value = parts[0];", "value = parts[0];", select),
    ("votes.h", "if (b.cell < 0) return a;", "if (a.cell < 0) return a;", select),
    ("select.h", "if (last == 0) hp_settle", "if (last >= 0) hp_settle", select),
    ("crop.cu", "if (column >= side) return;", "", crops),
    ("crop.cu", "(row >> 1) * frame->chroma_stride", "(row >> 2) * frame->chroma_stride", crops),
    ("crop.cu", "upper.value[c], lower.value[c]", "lower.value[c], upper.value[c]", crops),
    ("../hotpath.h", "bottom * weight1) >> 16) + 2", "bottom * weight1) >> 16) + 1", crops),
    (
        "../families.h",
        "hp_mul(-change, points->penalty)",
        "-hp_mul(-change, points->penalty)",
        select,
    ),
    ("loss_monitor.h", "1 - limits->kept", "limits->kept", watch),
    ("loss_monitor.h", "distance >= apart", "distance > apart", watch),
    ("aim.cu", "hp_pair_of(1.0", "hp_pair_of(1.00001", watch),
]


@pytest.mark.parametrize(
    "file, text, mistake, check",
    few_of(MISTAKES, MISTAKES[::3], "the others are noticed by the same checks"),
)
def test_a_mistake_in_a_kernel_is_noticed(tmp_path, monkeypatch, file, text, mistake, check):
    folder = tmp_path / "kernels" / "cuda"
    shutil.copytree(build.KERNELS, folder, ignore=shutil.ignore_patterns("*.py", "build"))
    for name in ("hotpath.h", "geometry.h", "families.h"):
        shutil.copy(os.path.join(build.KERNELS, os.pardir, name), tmp_path / "kernels" / name)
    source = (folder / file).read_text()
    assert source.count(text) == 1
    (folder / file).write_text(source.replace(text, mistake))
    monkeypatch.setattr(compiler, "HERE", str(folder))
    files = ("aim", "crop") if check is crops else ("aim", "points")
    machine = Machine(*(ptx("", str(folder / f"{name}.cu"), 87) for name in files))
    with pytest.raises((Illegal, AssertionError)):
        check(machine)


# ---- the interpreter itself


@pytest.fixture(scope="module")
def faults():
    return Machine(ptx("", os.path.join(build.HERE, "faults.cu"), 87))


@pytest.mark.parametrize(
    "kernel, threads, what",
    [
        ("bad_barrier", 64, "only some threads of a block reach a barrier"),
        ("bad_shuffle", 32, "only some lanes"),
        ("bad_race", 64, "without a barrier"),
    ],
)
def test_what_a_gpu_need_not_do_twice_is_an_error(faults, kernel, threads, what):
    with pytest.raises(Illegal, match=what):
        faults.launch(kernel, 1, threads, np.zeros(threads, np.int32))


def test_a_write_beyond_an_array_is_an_error(faults):
    out = np.ones(16, np.uint8)
    faults.launch("bad_write", 1, 32, out, 15)
    assert out.tolist() == [1] * 15 + [0]
    with pytest.raises(Illegal, match="outside of all arrays"):
        faults.launch("bad_write", 1, 32, out, 16)


def test_an_unknown_instruction_is_an_error():
    text = ptx("", os.path.join(build.HERE, "faults.cu"), 87)
    assert "add.s32" in text
    for unknown in ("add.sat.s32", "vadd.s32"):
        with pytest.raises(Illegal, match="no " + unknown):
            Machine(text.replace("add.s32", unknown))

"""The code that the real NVRTC makes of the kernels, interpreted, gives what its definition gives.

Every kernel that a frame of a `points` network runs: gather, crop and select.
"""

import os

import numpy as np
import pytest

from hotpath.kernels.cuda import records
from tests.fakes.cuda import build
from tests.fakes.cuda.film import bgr_of
from tests.fakes.cuda.networks import network
from tests.fakes.cuda.nvrtc import ptx
from tests.fakes.cuda.ptx import Machine
from tests.fakes.cuda.ptx_operations import Illegal
from tests.fakes.cuda.shim import Failed
from tests.kernels.cuda import test_crop, test_families
from tests.support.examples import few_of

FILES = ("crop", "points")
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
    picture = test_crop.picture_of(frame, chroma)
    exemplar = options.get("exemplar", False)
    windows = [test_crop.window_of(net, each, exemplar) for each in (state, STATE)]
    found = test_crop.crop(machine, net, picture, windows, dtype=dtype, gap=6, **options)
    image = bgr_of(frame, CHROMA) if kind == "nv12" else frame[:, :, :3]
    for planes, window in zip(found, windows):
        expected = test_crop.expected_crop(net, image, window, dtype=dtype, **options)
        test_crop.same_bits(planes, expected)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("kind", sorted(FRAMES))
def test_crop_equals_its_definition(machine, kind, dtype):
    crop(machine, kind, dtype)
    crop(machine, kind, dtype, (4.0, 190.0, 100.0, 30.0), exemplar=True)  # beyond the frame


def test_select_equals_its_definition(machine):
    for seed, score in enumerate(("softmax", "sigmoid", "none")):
        net = network(score=score, map_size=(15, 16, 25)[seed], lr_power=seed)
        test_families.same(machine, net, test_families.random_maps(net, seed), STATE)
        changes = {"quality": ("none", "product", "blend")[seed], "inclusive": seed == 1}
        changes["clip"] = ("corners", "inside", "none")[seed]
        looks = {"crop": "stretched", "exemplar_margin": 0.2, "search_margin": 2.0}
        net = network(score=score, box_pixels="round", **dict(changes, **looks))
        maps = test_families.random_maps(net, seed)
        test_families.same(machine, net, maps, STATE, half=seed != 1)


@pytest.mark.parametrize("family", ["anchors", "centre", "corners"])
def test_the_other_families_select_as_their_definition(family):
    machine, net = Machine(ptx("", family, 87)), test_families.of_family(family)
    for seed in range(4):
        test_families.same(machine, net, test_families.random_maps(net, seed), STATE)


def test_maps_without_a_finite_vote_have_no_winner(machine):
    net = network()
    scores, distances = test_families.random_maps(net, 1)
    test_families.same(machine, net, (scores * np.nan, distances), STATE)


def test_records_and_features_are_as_python_has_them(machine):
    test_crop.test_the_kernels_records_are_those_of_python(machine)
    random, looks = np.random.RandomState(1), (records.Look * 3)()
    targets = [random.randint(0, 99, 333).astype(np.float16) for _ in range(2)]
    out = np.zeros((3, 512), np.float16)
    for look, owner in zip(looks, (1, 0, 1)):
        look.features[3] = targets[owner].ctypes.data
    machine.memory = targets
    machine.launch("hp_gather", (2, 3), 256, records.array_of(looks), 3, 666, 1024, out)
    for row, owner in zip(out, (1, 0, 1)):
        np.testing.assert_array_equal(row[:333], targets[owner])


# ---- the interpreter itself, and the processor in the place of a GPU


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


def test_the_processor_finds_mistakes_too_and_runs_the_next_launch(shim):
    out = np.ones(64, np.int32)
    for kernel, threads in (("bad_shuffle", 32), ("bad_barrier", 64), ("bad_race", 1056)):
        with pytest.raises(Failed):
            shim.launch(kernel, 1, threads, out)
    for _ in range(8):  # orders of the threads
        shim.launch("bad_race", 1, 64, out)
        assert not np.array_equal(out, 64 - np.arange(64))

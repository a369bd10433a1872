"""A bundle for an FPGA board, with programs written by hand and a known right answer.

A search region of 16 x 16 pixels is its own map: the score of a cell is its brightness, and all
cells have boxes of the same size. So a tracker that follows a bright rectangle proves the whole way
from frame to box: crop, tables, commands, memory, maps.
"""

import numpy as np

import hotpath_fpga as design
from fpga_tests.kernels.benches.machine_bench import PLAIN
from hotpath.deploy.bundles.writer import BundleWriter
from hotpath.kernels.fpga import resize, tables
from hotpath.runtime import loading
from hotpath.runtime.engines.base import Engine, Setup
from hotpath.runtime.engines.overlay import layout
from hotpath.runtime.networks import bundle, load_network
from hotpath_fpga.compiler import Compiled
from hotpath_fpga.runner import known_answer
from hotpath_fpga.sim import device as simulation

EXEMPLAR, SEARCH = 8, 16
TOML = """
family = "points"
[input]
exemplar = 8
search = 16
border = "zero"
[head]
stride = 1
map_size = 16
score = "sigmoid"
[tracking]
penalty = 0.1
window_influence = 0.2
size_lr = 0.3
min_size = 4
[[file]]
part = "exemplar"
name = "bright_exemplar.onnx"
sha256 = "{0}"
[[file]]
part = "search"
name = "bright_search.onnx"
sha256 = "{0}"
""".format("0" * 64)

TILE, PARAMS, PIXELS = 256, 128, 768
SIDES = {"exemplar": EXEMPLAR, "search": SEARCH}
# addresses in region 0
PROGRAMS = {"exemplar": 0, "search": 1024}
WEIGHTS_AT, PARAMS_AT, PIXELS_AT = 2048, 2304, 2432
IMAGE = 3264
# addresses in region 1
PICTURE_AT = 0
SCORE_AT = EXEMPLAR * EXEMPLAR * 16
MAP_BASE = 1024
SIDE_PIXELS = 2  # distance from a cell to a side of its box, search pixels


def image():
    """Region 0."""
    data = np.zeros(IMAGE, np.uint8)
    for name, side in SIDES.items():
        program = b"".join(commands(name, side))
        first = PROGRAMS[name]
        data[first : first + len(program)] = np.frombuffer(program, np.uint8)
    tile = np.zeros((16, 16), np.int8)
    tile[0, :3] = 1  # score: blue and green and red
    data[WEIGHTS_AT : WEIGHTS_AT + TILE] = tile.view(np.uint8).ravel()
    bias = np.zeros(16, "<i4")
    bias[1:5] = SIDE_PIXELS
    data[PARAMS_AT : PARAMS_AT + 64] = bias.view(np.uint8)
    data[PARAMS_AT + 64] = 2  # shift of the score
    values = (np.arange(256) - 128).astype(np.int8).view(np.uint8)
    data[PIXELS_AT : PIXELS_AT + PIXELS] = np.tile(values, 3)
    return data.tobytes()


def commands(name, side):
    """The program's commands in order."""
    each = resize.bytes_of(side)[0]
    load = tables.TARGETS
    crop = dict(words=side, rows=side, size=side, row_pitch=side)
    kept = dict(row_pitch=side, width=side, rows=side, region=tables.REGIONS["WORK"])
    yield tables.pack("LOAD", target=load["PIXELS"], offset=PIXELS_AT, bytes=PIXELS)
    for target, offset in (("COLUMNS", 0), ("ROWS", each)):
        place = dict(region=tables.REGIONS["RESIZE"], target=load[target], offset=offset)
        yield tables.pack("LOAD", bytes=each, **place)
    if name == "exemplar":
        yield tables.pack("CROP", wait_load=3, **crop)
        yield tables.pack("STORE", wait_crop=1, offset=PICTURE_AT, **kept)
        yield tables.pack("END", wait_store=1)
        return
    yield tables.pack("LOAD", target=load["WEIGHTS"], offset=WEIGHTS_AT, bytes=TILE)
    yield tables.pack("LOAD", target=load["PARAMS"], offset=PARAMS_AT, bytes=PARAMS)
    yield tables.pack("CROP", wait_load=3, **crop)
    conv = dict(PLAIN, in_row_pitch=side, in_height=side, in_width=side)
    conv.update(out_base=MAP_BASE, out_row_pitch=side, out_height=side, out_width=side)
    yield tables.pack("CONV", wait_load=5, wait_crop=1, **conv)
    yield tables.pack("STORE", wait_conv=1, base=MAP_BASE, offset=SCORE_AT, **kept)
    yield tables.pack("END", wait_store=1)


def run_table():
    """The part of the bundle that the engine reads."""
    signed = np.arange(256, dtype=np.uint8).view(np.int8).astype(float)
    place = {"offset": SCORE_AT, "height": SEARCH, "width": SEARCH}
    return {
        "image": "image.bin",
        "work_bytes": SCORE_AT + SEARCH * SEARCH * 16,
        "programs": {
            name: {"offset": PROGRAMS[name], "side": side, "cycles": 10000}
            for name, side in SIDES.items()
        },
        "maps": [
            dict(place, name="cls", channels=1, lane=0, values=list(signed / 16)),
            dict(place, name="loc", channels=4, lane=1, values=list(signed)),
        ],
        "seen": None,
    }


def write_bundle(folder, board="pynq_z2", **changes):
    """Write FOLDER/BOARD/bright-int8, some keys of bundle.json changed; returns the ``Bundle``."""
    folder.mkdir(exist_ok=True)
    (folder / "bright.toml").write_text(TOML)
    network = load_network(folder / "bright.toml")
    with BundleWriter(folder / board / "bright-int8") as writer:
        run = changes.pop("run", run_table())
        size = changes.get("settings", {}).get("size") or design.sizes()[board]
        picture, checksum = known_answer(
            Compiled(image(), dict(run_table(), seen=run["seen"]), []), size
        )
        (writer.folder / "image.bin").write_bytes(image())
        (writer.folder / "answer.bin").write_bytes(picture)
        (writer.folder / "bright.toml").write_text(TOML)
        values = {
            "network": bundle.network_entry(network),
            "board": board,
            "engine": "overlay",
            "precision": "int8",
            "libraries": {"overlay": layout()},
            "compute_capability": None,
            "calibration_sha256": None,
            "settings": {"size": design.sizes()[board]},
            "run": dict(run, answer={"picture": "answer.bin", "checksum": checksum}),
        }
        values.update(changes)
        return writer.finish(values)


def film(frames=12, width=96, height=72):
    """A white rectangle that drifts over grey: (frames, boxes) as ``tests.support.blobs.film``."""
    pictures, boxes = [], []
    for index in range(frames):
        x, y = 30 + 2 * index, 40 - index
        picture = np.full((height, width, 3), 60, np.uint8)
        picture[y : y + 8, x : x + 8] = 255
        pictures.append(picture)
        boxes.append((float(x), float(y), 8.0, 8.0))
    return pictures, boxes


def opened(folder, board="pynq_z2", kind="model", **run):
    """(simulated board, engine) of the hand-written bundle; ``run``: entries of its run table."""
    made = write_bundle(folder, board, run=dict(run_table(), **run))
    device, overlay = simulation.open_board(board, kind)
    return device, loading.open_setup(loading.Setup(bundle=made, device=device, overlay=overlay))


def noisy(film, seed):
    """A film with noise, and blank frames in which the target is lost."""
    rng = np.random.default_rng(seed)
    frames = [np.clip(f + rng.integers(-30, 31, f.shape), 0, 255).astype(np.uint8) for f in film]
    for index in rng.choice(np.arange(2, len(frames)), 3, replace=False):
        frames[index][:] = rng.integers(0, 256, 3)
    return frames


# the score map stands for the features
SEEN = dict(offset=SCORE_AT, lane=0, channels=7, height=SEARCH, width=SEARCH, exponent=-3)


class OnProcessor(Engine):
    """The same network in NumPy, as the engine of a processor."""

    name = "bright"

    def __init__(self, network):
        super().__init__(Setup(network, {}))
        self.exemplar_crop, self.search_crop = (
            np.zeros((1, 3, side, side), np.uint8) for side in SIDES.values()
        )
        self.search_features = np.zeros((1, SEEN["channels"], SEARCH**2), np.float32)

    def exemplar(self):
        """See ``Engine``."""
        return (self.exemplar_crop.copy(),)

    def search(self, features):
        """See ``Engine``."""
        total = self.search_crop[0].astype(int).sum(axis=0) - 3 * 128
        score = np.clip(np.rint(total / 4), -128, 127).astype(np.float32)
        self.search_features[0, 0] = score.ravel() / 8
        self.search_features[0, 1:5] = SIDE_PIXELS / 8
        boxes = np.full((1, 4, SEARCH, SEARCH), SIDE_PIXELS, np.float32)
        return score[None, None] / 16, boxes

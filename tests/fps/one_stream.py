"""Costs of one-stream trackers with random weights: writes docs/results/one-stream.md.

    python -m tests.fps.one_stream --authors DIR --work DIR

``--authors`` has checkouts of the authors' repositories. ``--work`` keeps exports and figures: a
killed run goes on there, and a new measurement takes a new folder. Each network takes turns with
kestrel in fp32, on one thread.
"""

import argparse
import datetime
import json
import os
import pathlib
import sys
import time
from collections import namedtuple
from unittest import mock

import numpy as np

from calib import provenance, qdq
from calib.ranges import float_tensors, session, with_outputs
from calib.research.export import __main__ as export
from calib.research.export import one_stream
from runtime import load_tracker
from runtime.errors import HotpathError
from runtime.graphs import IN_FLOAT32, convert
from runtime.graphs.counting import count_parts
from runtime.networks import load_network
from tests.fps import clips, jetson

# lasot: AUC, got: AO of GOT-10k by the authors; None where none was confirmed
One = namedtuple("One", "name kind config lasot got licence source")
OSTRACK = "OSTrack/experiments/ostrack/vitb_{}_mae_ce_32x4_ep300.yaml"
LITETRACK = "LiteTrack/experiments/litetrack/{}_cae_center_all_ep300.yaml"
MIXFORMER = "MixFormerV2/experiments/mixformer2_vit_online/{}_score.yaml"
NETWORKS = (
    One("OSTrack-256", "ostrack", OSTRACK.format(256), 69.1, 71.0, "MIT", "README"),
    One("OSTrack-384", "ostrack", OSTRACK.format(384), 71.1, 73.7, "MIT", "README"),
    One("LiteTrack-B4", "litetrack", LITETRACK.format("B4"), 62.5, 65.2, "MIT", "README"),
    One("LiteTrack-B9", "litetrack", LITETRACK.format("B9"), 67.0, 72.2, "MIT", "README"),
    One(
        "SMAT",
        "smat",
        "SMAT/experiments/mobilevitv2_track/mobilevitv2_256_128x1_ep300.yaml",
        None,
        64.5,
        "Apache-2.0",
        "arXiv 2309.03979",
    ),
    One(
        "MVT",
        "mvt",
        "MVT/experiments/mobilevit_track/mobilevit_256_128x1_got10k_ep100_cosine_annealing.yaml",
        None,
        None,
        "Apache-2.0",
        "arXiv 2309.05829",
    ),
    One("HiT-Base", "hit", "HiT/experiments/HiT/HiT_Base.yaml", 64.6, 64.0, "MIT", "README"),
    One(
        "AsymTrack-B",
        "asymtrack",
        "AsymTrack/experiments/AsymTrack/base.yaml",
        64.7,
        67.7,
        "MIT",
        "arXiv 2503.00516",
    ),
    One(
        "MixFormerV2-S",
        "mixformerv2",
        MIXFORMER.format("224_depth4_mlp1"),
        60.6,
        None,
        "MIT",
        "arXiv 2305.15896",
    ),
    One(
        "MixFormerV2-B",
        "mixformerv2",
        MIXFORMER.format("288_depth8"),
        70.6,
        None,
        "MIT",
        "README",
    ),
)
KERNELS = ("Conv", "ConvTranspose", "MatMul", "Gemm", "Softmax", "Add", "Exp", "Concat")
"""Operators that are kernels of their own in an estimate; others are fused or only move data."""
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "results" / "one-stream.md"
BY_HAND = "\n## INT8\n"  # what follows was measured otherwise, and stays
BESIDE = "kestrel"  # takes turns with each network
TEXT = """\
`python -m tests.fps.one_stream --authors DIR --work DIR`

{made}. Every network has random weights: the authors' are not fetched.

# One-stream trackers

| network | parameters, M | MMAC a frame | fp32, ms (times kestrel) | INT8, ms (times kestrel) \
| Orin Nano, ms, estimate | Nano, ms, estimate | LaSOT AUC | GOT-10k AO | figures from | licence |
|---|--:|--:|--:|--:|--:|--:|--:|--:|---|---|
{costs}

Times are medians of {rounds} frames on one thread of OpenVINO, in turns with kestrel in fp32; the \
ratio is what compares. What depends on the template alone is computed once and not in a frame. \
INT8 is as `calib.int8` writes it, and [costs](#int8) accuracy. The \
estimates are of the network alone in FP16, by the rates of [jetson](jetson.md); no Jetson was \
measured. AUC and AO are the authors' own, in percent; a dash: none was confirmed.

Each runs on OpenVINO and ONNX Runtime from one command \
(`python -m calib.research.export`). NVIDIA's builder makes plans of MVT, SMAT, HiT, AsymTrack, \
LiteTrack-B4, MixFormerV2-S and a small OSTrack in FP32 and FP16 (TensorRT-RTX on a processor). \
TensorRT before 8.5.1 does not take AsymTrack, and the engines of a GPU refuse LiteTrack, which \
takes the target's box.

## FP16
The largest value on black, white, chessboard and noise. Half precision holds 65,504.

| network | squares in LayerNorms | all others |
|---|--:|--:|
{peaks}

A LayerNorm squares its input: above 256 the square overflows, and the result is zero. Random \
weights of transformers stay far below; trained ones are known for such values, and AsymTrack gets \
them from batch normalisations without statistics. The small OSTrack of [INT8](#int8) squares to \
7,625 after an hour. With every result rounded to half, its maps change by up to .0020; with \
LayerNorms in fp32, from the mean to the division, by .0021. So plans keep these in fp32, and all \
else in FP16. Softmax needs nothing: no product exceeds 130 there, and TensorRT subtracts the \
largest first.
"""


def export_random(one, authors, work):
    """Path of the TOML of a network with random weights."""
    path = work / f"{one.name}.toml"
    if not path.is_file():
        one_stream.torch.manual_seed(1)
        config = authors / one.config
        with mock.patch.object(one_stream, "load_weights", lambda model, path: model.eval()):
            folder = authors / one.config.split("/")[0]
            parts = one_stream.one_stream(one_stream.KINDS[one.kind], folder, config, None)
        export.write(parts, one.name, work)
    return path


def pictures(side):
    """Pictures that strain a network: black, white, a chessboard and noise of both."""
    board = np.indices((side, side)).sum(0) // 8 % 2 * 255
    noise = np.random.RandomState(3).randint(0, 2, (side, side, 3)) * 255
    plain = [np.full((side, side, 3), value) for value in (0, 255)]
    return [*plain, np.repeat(board[..., None], 3, 2), noise]


def spans(network, parts):
    """dict of part -> dict of tensor -> (least, greatest) over the pictures, in float32."""
    given, found = [], {}
    for part, model in parts.items():
        names = float_tensors(model)
        runner = session(with_outputs(model, names))
        outputs = [value.name for value in runner.get_outputs()]
        found[part], made = {}, []
        for index in range(4):
            feed = dict(given[index]) if given else {}
            for value in runner.get_inputs():
                if value.name not in feed:
                    picture = pictures(value.shape[-1])[(index + len(given)) % 4]
                    scaled = (picture - np.array(network.mean)) * np.array(network.scale)
                    feed[value.name] = np.float32([scaled.transpose(2, 0, 1)] * value.shape[0])
                    if len(value.shape) == 2:  # the target's box
                        feed[value.name] = np.float32([[0.25, 0.25, 0.75, 0.75]])
            made.append(dict(zip(outputs, runner.run(outputs, feed))))
            for name, values in [*made[-1].items(), *feed.items()]:
                low, high = found[part].get(name, (0.0, 0.0))
                span = min(low, float(values.min())), max(high, float(values.max()))
                found[part][name] = span
            kept = {value.name for value in model.graph.output}
            made[-1] = {name: value for name, value in made[-1].items() if name in kept}
        given = made
    return found


def largest(parts, found):
    """(greatest value that a LayerNorm squares to, greatest of all others)."""
    inside, others = 0.0, 0.0
    for part, model in parts.items():
        marked = convert.for_old_tensorrt(model).graph.node
        norms = {name for n in marked if n.name.endswith(IN_FLOAT32) for name in n.output}
        for name, (low, high) in found[part].items():
            if name in norms:
                inside = max(inside, -low, high)
            else:
                others = max(others, -low, high)
    return inside, others


def quantised(network, parts, found, work):
    """TOML of the network in INT8, with the whole range of every tensor; good for times alone."""
    last = qdq.last_layers(parts["search"])
    models = {
        part: qdq.quantised(model, found[part], "cpu", last if part == "search" else ())
        for part, model in parts.items()
    }
    return qdq.write(network, models, work, network.name + "-int8", "for times alone")


def frame_ms(paths, rounds):
    """dict of path -> median milliseconds of a frame; all take turns."""
    film = clips.film(2 + rounds)
    trackers = {path: load_tracker(path, threads=1, precision="fp32") for path in paths}
    taken = {path: [] for path in paths}
    for tracker in trackers.values():
        tracker.init(film.frames[0], film.box)
        tracker.update(film.frames[1])
    for frame in film.frames[2:]:
        for path, tracker in trackers.items():
            started = time.perf_counter()
            tracker.update(frame)
            taken[path].append(1e3 * (time.perf_counter() - started))
    return {path: float(np.median(values)) for path, values in taken.items()}


def measure(one, authors, work, rounds):
    """dict of a network's figures."""
    path = export_random(one, authors, work)
    network = load_network(path)
    counts = count_parts(network, network.locate())
    frame = counts["a frame"]
    parts = qdq.parts(network, network.locate())
    found = spans(network, parts)
    squares, others = largest(parts, found)
    timed = {"fp32": path}
    try:
        timed["int8"] = quantised(network, parts, found, work)
        timed["int8"] = timed["int8"] if load_tracker(timed["int8"], threads=1) else None
    except HotpathError as error:  # of the engine; a dash in the table
        print(f"{one.name} in INT8: {error}", file=sys.stderr)
        timed.pop("int8", None)
    del parts
    times = frame_ms([BESIDE, *timed.values()], rounds)
    kernels = sum(frame.operators.get(name, 0) for name in KERNELS)
    boards = {
        board: jetson.network_ms(frame.macs / 1e9, kernels, *jetson.RATES[board][:2])
        for board in ("jetson_orin_nano", "jetson_nano")
    }
    return {
        "parameters": counts["whole"].parameters / 1e6,
        "mmac": frame.macs / 1e6,
        "ms": {name: times[path] for name, path in timed.items()},
        "times": {name: times[path] / times[BESIDE] for name, path in timed.items()},
        "boards": boards,
        "squares": squares,
        "others": others,
    }


def row(one, got):
    """The rows of a network in the two tables."""
    shown = ["—" if value is None else f"{value:.1f}" for value in (one.lasot, one.got)]
    ms = [
        f"{got['ms'][name]:.0f} ({got['times'][name]:.0f})" if name in got["ms"] else "—"
        for name in ("fp32", "int8")
    ]
    boards = [f"{low:.0f} to {high:.0f}" for low, high in got["boards"].values()]
    cells = [f"{got['parameters']:.1f}", f"{got['mmac']:,.0f}", *ms, *boards, *shown]
    cells += [one.source, one.licence]
    half = [f"{got['squares']:,.0f}" if got["squares"] else "—", f"{got['others']:,.0f}"]
    return ["| " + " | ".join([one.name, *part]) + " |" for part in (cells, half)]


def main(arguments=None):
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fps.one_stream")
    parser.add_argument("--authors", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--work", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--rounds", type=int, default=15, help="frames of each (default: 15)")
    parser.add_argument("--only", metavar="NAME,NAME", help="these networks alone")
    options = parser.parse_args(arguments)
    only = options.only.split(",") if options.only else [one.name for one in NETWORKS]
    options.work.mkdir(parents=True, exist_ok=True)
    rows = []
    for one in NETWORKS:
        if one.name in only:
            print(one.name, file=sys.stderr)
            kept = options.work / f"{one.name}.json"
            if not kept.is_file():  # a killed run goes on
                got = measure(one, options.authors, options.work, options.rounds)
                kept.write_text(json.dumps(got))
            rows.append(row(one, json.loads(kept.read_text())))
    commit, today = (provenance.commit() or "unknown")[:7], datetime.date.today().isoformat()
    text = TEXT.format(
        made=f"{today}, commit {commit}, {provenance.processor()}, {os.cpu_count()} cores",
        rounds=options.rounds,
        costs="\n".join(cost for cost, _ in rows),
        peaks="\n".join(peak for _, peak in rows),
    )
    if options.only:
        print(text, end="")
        return 0
    by_hand = PAGE.read_text(encoding="utf-8").partition(BY_HAND)
    PAGE.write_text(text + "".join(by_hand[1:]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Costs of one-stream trackers with random weights, the first table of docs/results/one-stream.md.

``--authors`` has checkouts of the authors' repositories. ``--work`` keeps exports and figures: a
killed run goes on there, and a new measurement takes a new folder.
"""

import argparse
import datetime
import json
import os
import pathlib
import sys
import time
from unittest import mock

import numpy as np

from hotpath.boards.fps import clips, jetson
from hotpath.calib import provenance, qdq
from hotpath.calib.ranges import float_tensors
from hotpath.calib.research.export import __main__ as export
from hotpath.calib.research.export import one_stream
from hotpath.runtime import load_tracker
from hotpath.runtime.errors import HotpathError
from hotpath.runtime.networks import load_network
from hotpath.runtime.prepare.graphs.counting import count_parts

NETWORKS = {  # name: kind, the authors' configuration below its experiments/
    "OSTrack-256": ("ostrack", "OSTrack/ostrack/vitb_256_mae_ce_32x4_ep300"),
    "OSTrack-384": ("ostrack", "OSTrack/ostrack/vitb_384_mae_ce_32x4_ep300"),
    "LiteTrack-B4": ("litetrack", "LiteTrack/litetrack/B4_cae_center_all_ep300"),
    "LiteTrack-B9": ("litetrack", "LiteTrack/litetrack/B9_cae_center_all_ep300"),
    "SMAT": ("smat", "SMAT/mobilevitv2_track/mobilevitv2_256_128x1_ep300"),
    "MVT": ("mvt", "MVT/mobilevit_track/mobilevit_256_128x1_got10k_ep100_cosine_annealing"),
    "HiT-Base": ("hit", "HiT/HiT/HiT_Base"),
    "AsymTrack-B": ("asymtrack", "AsymTrack/AsymTrack/base"),
    "MixFormerV2-S": ("mixformerv2", "MixFormerV2/mixformer2_vit_online/224_depth4_mlp1_score"),
    "MixFormerV2-B": ("mixformerv2", "MixFormerV2/mixformer2_vit_online/288_depth8_score"),
}
KERNELS = ("Conv", "ConvTranspose", "MatMul", "Gemm", "Softmax", "Add", "Exp", "Concat")
"""Operators that are kernels of their own in an estimate; others are fused or only move data."""
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "results" / "one-stream.md"
ROUNDS = 15  # frames of each
BESIDE = "kestrel_fast"  # takes turns with each network


def export_random(name, kind, config, authors, work):
    """Path of the TOML of a network with random weights."""
    path = work / f"{name}.toml"
    if not path.is_file():
        one_stream.torch.manual_seed(1)
        folder = authors / config.split("/")[0]
        with mock.patch.object(one_stream, "load_weights", lambda model, path: model.eval()):
            parts = one_stream.one_stream(one_stream.KINDS[kind], folder, authors / config, None)
        export.write(parts, name, work)
    return path


def quantised(network, parts, work):
    """TOML of the network in INT8, with one range for all tensors; good for times alone."""
    last = qdq.last_layers(parts["search"])
    models = {}
    for part, model in parts.items():
        spans = dict.fromkeys(float_tensors(model), (-4.0, 4.0))
        models[part] = qdq.quantised(model, spans, "cpu", last if part == "search" else ())
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


def measure(name, kind, config, authors, work, rounds):
    path = export_random(name, kind, config, authors, work)
    network = load_network(path)
    counts = count_parts(network, network.locate())
    frame = counts["a frame"]
    parts = qdq.parts(network, network.locate())
    timed = {"fp32": path}
    try:
        path = quantised(network, parts, work)
        load_tracker(path, threads=1)
        timed["int8"] = path
    except HotpathError as error:  # of the engine; a dash in the table
        print(f"{name} in INT8: {error}", file=sys.stderr)
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
    }


def rewritten(line, name, got):
    """A line of the page; a row of the network has its new figures."""
    cells = line[2:-2].split(" | ")
    if cells[0] != name or len(cells) < 7:
        return line
    ms = [
        f"{got['ms'][kind]:.0f} ({got['times'][kind]:.0f})" if kind in got["ms"] else "—"
        for kind in ("fp32", "int8")
    ]
    boards = [f"{low:.0f} to {high:.0f}" for low, high in got["boards"].values()]
    cells[1:7] = [f"{got['parameters']:.1f}", f"{got['mmac']:,.0f}", *ms, *boards]
    return f"| {' | '.join(cells)} |"


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.documents.one_stream")
    parser.add_argument("--authors", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--work", required=True, type=pathlib.Path, metavar="DIR")
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    page = PAGE.read_text(encoding="utf-8").splitlines()
    made = next(at for at, line in enumerate(page) if line.startswith("20"))
    page[made] = (
        f"{datetime.date.today().isoformat()}, commit {(provenance.commit() or 'unknown')[:7]}, "
        f"{provenance.processor()}, {os.cpu_count()} cores.{page[made].partition(' cores.')[2]}"
    )
    for name, (kind, config) in NETWORKS.items():
        print(name, file=sys.stderr)
        kept = options.work / f"{name}.json"
        if not kept.is_file():  # a killed run goes on
            config = config.replace("/", "/experiments/", 1) + ".yaml"
            got = measure(name, kind, config, options.authors, options.work, ROUNDS)
            kept.write_text(json.dumps(got))
        page = [rewritten(line, name, json.loads(kept.read_text())) for line in page]
    PAGE.write_text("\n".join(page) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

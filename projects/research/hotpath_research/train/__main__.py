"""python -m hotpath_research.train: train kestrel; docs/training.md explains how."""

import argparse
import importlib.metadata
import json
import os
import platform
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hotpath.calib import command_line
from hotpath.calib.errors import BadImages, TrainingStopped
from hotpath.calib.one_step_overlap import Pairs
from hotpath.runtime.networks import load_network, names
from hotpath.video.clips import find_clips
from hotpath_lab.provenance import commit
from hotpath_research.pytorch import torch
from hotpath_research.train import own_clips
from hotpath_research.train.backbones import PREFIX
from hotpath_research.train.bank import Bank, build_bank
from hotpath_research.train.export import export
from hotpath_research.train.films import write_tracks
from hotpath_research.train.loop import Log, StageRunner, TrainingStage
from hotpath_research.train.network import Kestrel
from hotpath_research.train.options import parser
from hotpath_research.train.origin import FREE, UNKNOWN, origin_of
from hotpath_research.train.pairs import Drawer
from hotpath_research.train.ring import Ring, held_layout, learnt_pair, start_writers, stop_writers
from hotpath_research.train.stages import StageInputs
from hotpath_research.train.start import (
    begin,
    load_features,
    load_start,
    timm_weights,
    widths_of,
)
from hotpath_research.train.sweep import sweep
from hotpath_research.train.teacher import Teacher
from hotpath_research.train.unfold import unfolded

START_PAIRS = 2048  # in the ring before the first step
FEWEST_PICTURES = 4
LIBRARIES = "torch numpy opencv-python-headless onnx openvino".split()


def run(options: argparse.Namespace) -> int:
    """Train, and export the network after the last stage; returns the exit code."""
    if min(options.head[:2]) < 1 or options.head[2] < 0:
        raise TrainingStopped(
            f"--head {' '.join(map(str, options.head))} is not a head; give two widths of 1 or "
            "more and a number of convolutions of 0 or more, such as 96 64 3"
        )
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise TrainingStopped("one process trains on one GPU; start it without torchrun")
    out = Path(options.out or own_folder(options.shape))
    options.out = str(out)
    out.mkdir(parents=True, exist_ok=True)
    print(f"writing to {out}; to go on with this training, add --out {out}", flush=True)
    if options.find_lr:
        options.stages = options.stages[:1]
    judges = own_clips.prepared(options)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    log = Log(out / "log.jsonl")
    log(event="started", options=vars(options), versions=versions(), git=commit())
    work, writers = prepare(options, out, log, judges)
    try:
        for number, name in enumerate(options.stages):
            run_stage(name, options, out, log, work, options.start if number == 0 else None)
    finally:
        stop_writers(writers)
    if options.find_lr:
        return 0
    if judges:
        return own_clips.judged(options, judges, log)
    if options.stages[-1] == "head":
        print(json.dumps(export(out / "head.pt", out / "export"), indent=1))
    return 0


def own_folder(shape: str) -> Path:
    """A folder for a training that names none: out/train/SHAPE-DATE-TIME."""
    name = re.sub(r"\W", "_", shape.removeprefix(PREFIX))
    return Path("out", "train", time.strftime(f"{name}-%Y%m%d-%H%M%S"))


def versions() -> dict[str, str]:
    """dict of library -> version, with Python's own."""
    installed = {
        distribution.name: distribution.version
        for distribution in importlib.metadata.distributions()
    }
    versions = {name: installed[name] for name in LIBRARIES if name in installed}
    return {"python": platform.python_version(), **versions}


def prepare(
    options: argparse.Namespace, out: Path, log: Log, judges: Sequence[Any]
) -> tuple[StageInputs, list[Any]]:
    """Read the pictures and start drawing; returns ``StageInputs`` and what draws pairs."""
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise TrainingStopped(
            f"there is no CUDA device for --device {options.device}; use --device cpu"
        )
    teacher = Teacher(options.teacher, options.networks_dir)
    licence = str(getattr(teacher.network, "licence", "") or "not stated")
    log(event="teacher", name=str(teacher.network.name), licence=licence)
    cache = Path(options.cache) if options.cache else out / "cache"
    sources = options.images, options.clips, options.licences, options.frames
    outliers = own_clips.outliers(options, judges)
    if outliers:
        log(event="outliers", frames=outliers)
    bank = build_bank(cache / "bank", *sources, [clip.name for clip in judges], outliers)
    if len(bank) < FEWEST_PICTURES:
        raise BadImages(f"there are only {len(bank)} pictures; name more with --images")
    log(
        event="pictures",
        count=len(bank),
        held=int(bank.held.sum()),
        licences=bank.licences,
        sources=bank.sources,
    )
    films = cache / "bank" / "films.npz"
    if options.processes:
        write_tracks(bank, teacher, films, options.seed)
    held = held_pairs(options, bank, teacher, out / "held.npz")
    ring = Ring(cache / "ring", options.ring, teacher.channels, options.learn_boxes)
    writers = fill_ring(options, ring, cache)
    one_step = {
        Path(path).resolve().name: Pairs(find_clips([path]), teacher.network)
        for path in options.validation
    }
    return StageInputs(ring, held, one_step, teacher, options.device, options.batch), writers


def held_pairs(
    options: argparse.Namespace, bank: Bank, teacher: Teacher, path: Path
) -> dict[str, np.ndarray]:
    """Pairs from held-out pictures, drawn once for a run and kept in ``path``."""
    if not path.is_file():
        drawer = Drawer(bank, held=True)
        pairs = [learnt_pair(drawer, teacher, options.seed, -1 - i) for i in range(options.held)]
        fields: dict[str, Any] = {
            name: np.stack([np.asarray(pair[name], dtype) for pair in pairs])
            for name, (_, dtype) in held_layout(teacher.channels).items()
        }
        np.savez(path, **fields)
    with np.load(path) as file:
        return dict(file)


def fill_ring(options: argparse.Namespace, ring: Ring, cache: Path) -> list[Any]:
    """Start the processes that draw pairs and wait until there are enough to begin with."""
    job = {
        "teacher": options.teacher,
        "networks_dir": options.networks_dir,
        "bank": str(cache / "bank"),
        "ring": str(cache / "ring"),
        "size": options.ring,
        "reuse": options.reuse,
        "seed": options.seed,
        "workers": options.processes,
        "boxes": options.learn_boxes,
    }
    writers = start_writers(job)
    while ring.filled() < min(START_PAIRS, ring.size):
        time.sleep(0.2)
        if not any(writer.is_alive() for writer in writers):
            raise TrainingStopped(
                "every process that draws pairs has ended, see their messages above; the cache in "
                f"{job['ring']} may be broken: delete it and start again"
            )
    return writers


def run_stage(
    name: str, options: argparse.Namespace, out: Path, log: Log, work: StageInputs, start: Any
) -> None:
    """Run one stage; a finished one is not run again."""
    torch.manual_seed(options.seed)
    fresh = name == "features" and not (out / "features.pt").is_file()
    weights = timm_weights(options.shape, start, options.pretrained) if fresh else ""
    width, tower, depth = options.head
    sizes = options.shape, work.teacher.channels, width, tower, depth
    network = Kestrel(*sizes, weights, **widths_of(options.start))
    ships = bool(start) and (start in names() or start.endswith(".toml"))
    if ships:
        network = unfolded(start, work, options.networks_dir)
        licences = {"A": 0} if load_network(start).licence.startswith(FREE) else UNKNOWN
        log(stage=name, event="start", what=start, licences=licences)
    elif start and weights != start:
        load_start(name, network, start)
        log(stage=name, event="start", what=start, licences=origin_of(start).licences)
    elif fresh:
        begin(network.backbone, work.teacher, work.held)
        if weights:
            log(stage=name, event="start", what=f"{options.shape}: {weights}", licences=UNKNOWN)
    elif name == "head":
        load_features(network, out)
    stage = TrainingStage(
        name,
        network,
        trained=lambda kestrel: kestrel.backbone if name == "features" else kestrel.head,
        step=work.features_step if name == "features" else work.head_step,
        judge=work.judge,
        pairs=options.pairs[name],
        lr=options.lr[name],
        batch=options.batch * (2 if name == "head" else 1),
        judgements=options.judgements,
        rates={part: options.lr[part] for part in ("backbone", "project") if part in options.lr},
        frozen=options.freeze,
        compiled=options.compile,
        fixed_norms=ships,
        accumulate=options.accumulate,
    )
    if options.find_lr:
        sweep(stage, out, options.device, options.seed)
    else:
        StageRunner(stage, out, log, options.device, options.seed, options.checkpoint_seconds).run()


main = command_line.main("hotpath_research.train", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())

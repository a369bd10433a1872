"""python -m calib.research.train: train kestrel; README.md beside this file explains how."""

import argparse
import importlib.metadata
import json
import platform
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from calib import command
from calib.clips import find_clips
from calib.errors import BadImages, TrainingStopped
from calib.one_step_overlap import Pairs
from calib.provenance import commit
from calib.research.pytorch import torch
from calib.research.train.bank import Bank, build_bank
from calib.research.train.export import export
from calib.research.train.geometry import PAIRS
from calib.research.train.loop import Log, Runner, Stage
from calib.research.train.network import Folded, Kestrel, macs
from calib.research.train.options import parser
from calib.research.train.pairs import Drawer
from calib.research.train.ring import Ring, layout, learnt_pair, start_writers, stop_writers
from calib.research.train.stages import NAMES, Standard, Steps, Work
from calib.research.train.start import licences_of, load_earlier_stages, load_start
from calib.research.train.teacher import Teachers
from calib.research.train.validation import Validation

START_PAIRS = 2048  # in the ring before the first step
FEWEST_PICTURES = 4
LIBRARIES = "torch numpy opencv-python-headless onnx onnxruntime".split()


def run(options: argparse.Namespace) -> None:
    """Train, and export the network after the last stage."""
    options.stages = options.stages or NAMES
    if min(options.head[:2]) < 1 or options.head[2] < 0:
        raise TrainingStopped(
            f"--head {' '.join(map(str, options.head))} is no head; give two widths of 1 or more "
            "and a number of convolutions of 0 or more, such as 48 32 3"
        )
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    log = Log(out / "log.jsonl")
    log(event="started", options=vars(options), versions=versions(), git=commit())
    work, writers = prepare(options, out, log)
    try:
        run_stages(options, out, log, work)
    finally:
        stop_writers(writers)
    if options.stages[-1] in ("tune", "joint", "finish"):
        exported = export(out / (options.stages[-1] + ".pt"), out / "export")
        print(json.dumps(exported, indent=1))


def versions() -> dict[str, str]:
    """dict of library -> version, with Python's own."""
    found = {each.name: each.version for each in importlib.metadata.distributions()}
    told = {name: found[name] for name in LIBRARIES if name in found}
    return {"python": platform.python_version(), **told}


def prepare(options: argparse.Namespace, out: Path, log: Log) -> tuple[Work, list[Any]]:
    """Read the pictures and start drawing; returns ``Work`` and the processes that draw pairs."""
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise TrainingStopped(
            f"there is no CUDA device for --device {options.device}; use --device cpu"
        )
    teachers = Teachers(options.teacher, options.networks_dir, options.maps_teacher)
    cache = Path(options.cache) if options.cache else out / "cache"
    bank = build_bank(cache / "bank", options.images, options.clips, options.licences)
    if len(bank) < FEWEST_PICTURES:
        raise BadImages(f"there are only {len(bank)} pictures; name more with --images")
    log(
        event="pictures",
        count=len(bank),
        held=int(bank.held.sum()),
        licences=bank.licences,
        sources=bank.sources,
    )
    held = held_pairs(options, bank, teachers, out / "held.npz")
    ring = Ring(cache / "ring", options.ring, teachers.channels)
    if not options.processes and ring.filled() < min(START_PAIRS, ring.size):
        log(event="waiting", what=f"another run must draw pairs into {cache}")
    writers = fill_ring(options, ring, cache)
    work = Work(
        ring,
        held,
        Standard.of(held, options.device),
        one_step={
            Path(path).resolve().name: Pairs(find_clips([path]), PAIRS)
            for path in options.validation
        },
        teachers=teachers,
        device=options.device,
        batch=options.batch,
    )
    return work, writers


def held_pairs(
    options: argparse.Namespace, bank: Bank, teachers: Teachers, path: Path
) -> dict[str, np.ndarray]:
    """Pairs from held-out pictures, drawn once for a run and kept in ``path``."""
    if not path.is_file():
        drawer = Drawer(bank, held=True)
        pairs = [learnt_pair(drawer, teachers, options.seed, -1 - i) for i in range(options.held)]
        fields: dict[str, Any] = {
            name: np.stack([np.asarray(pair[name], dtype) for pair in pairs])
            for name, (_, dtype) in layout(teachers.channels).items()
        }
        np.savez(path, **fields)
    with np.load(path) as file:
        return dict(file)


def fill_ring(options: argparse.Namespace, ring: Ring, cache: Path) -> list[Any]:
    """Start the processes that draw pairs and wait until there are enough to begin with."""
    job = {
        "teacher": options.teacher,
        "of_maps": options.maps_teacher,
        "networks_dir": options.networks_dir,
        "bank": str(cache / "bank"),
        "ring": str(cache / "ring"),
        "size": options.ring,
        "reuse": options.reuse,
        "seed": options.seed,
        "workers": options.processes,
    }
    writers = start_writers(job)
    enough = min(START_PAIRS, ring.size)
    while ring.filled() < enough:
        time.sleep(0.2)
        if options.processes and not any(writer.is_alive() for writer in writers):
            raise TrainingStopped(
                "every process that draws pairs has ended, see their messages above; the cache in "
                f"{job['ring']} may be broken: delete it and start again"
            )
    return writers


def run_stages(options: argparse.Namespace, out: Path, log: Log, work: Work) -> None:
    """Run one stage after the other; a finished one is not run again."""
    for name in options.stages:
        torch.manual_seed(options.seed)
        network = Kestrel(options.shape, work.teachers.channels, *options.head)
        log(stage=name, event="network", **macs(Folded(network.eval())))
        if options.start and name == options.stages[0]:
            told = load_start(
                name, network, options.start, work.held, work.standard, options.networks_dir
            )
            log(stage=name, event="start", what=options.start, licences=licences_of(options.start))
            if told:
                log(stage=name, event="started from", what=told)
        elif name == "finish" or not (out / (name + ".pt")).is_file():
            load_earlier_stages(name, network, out)
        if name == "finish":
            network = work.folded(network)
        stage = stage_of(name, options, network, work)
        seconds = options.checkpoint_seconds
        Runner(stage, out, log, options.device, options.seed, seconds).run()


def stage_of(name: str, options: argparse.Namespace, network: Kestrel, work: Work) -> Stage:
    """The ``Stage`` of that name under the options."""
    steps, validation = Steps(work), Validation(work)
    judge = {
        "backbone": validation.held_features,
        "head": validation.held_maps,
        "finish": validation.judge_finish,
    }
    trained = {
        "backbone": lambda kestrel: kestrel.backbone,
        "joint": lambda kestrel: kestrel,
        "finish": lambda folded: folded.trained,
    }
    return Stage(
        name,
        network,
        trained.get(name, lambda kestrel: kestrel.head),
        step=getattr(steps, name + "_step"),
        judge=judge.get(name, validation.judge_network),
        pairs=options.pairs[name],
        lr=options.lr[name],
        batch=options.batch * (2 if name in ("head", "tune") else 1),
        judgements=options.judgements,
        decay=options.decay[name],
    )


main = command.main("calib.research.train", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())

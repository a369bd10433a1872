"""The command line of the training: ``python -m calib.train``; see README.md beside this file."""

import argparse
import json
import pathlib
import sys
import time

import cv2
import numpy as np
import torch

from calib.train import plots
from calib.train.errors import BadImages, TrainingStopped
from calib.train.export import export
from calib.train.loop import Log, Runner, Stage
from calib.train.network import BACKBONES, Kestrel, macs
from calib.train.overlap import OneStep
from calib.train.pairs import Drawer
from calib.train.pictures import build_bank
from calib.train.ring import Ring, layout, learnt_pair, start_writers
from calib.train.stages import MAPS_SHARE, NAMES, Standard, Work
from calib.train.teacher import Teachers
from runtime.errors import HotpathError

START_PAIRS = 2048  # in the ring before the first step


def arguments(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m calib.train",
        description="Train kestrel from pictures, clips and a teacher; resumes what was killed.",
    )
    add = parser.add_argument
    add("--images", nargs="+", required=True, metavar="DIR", help="folders of still pictures")
    add("--clips", nargs="*", default=[], metavar="PATH",
        help="folders of clip folders with boxes.csv, or videos without boxes")  # fmt: skip
    add(
        "--leave-out",
        nargs="*",
        default=[],
        metavar="NAME",
        help="beginnings of clip names not to use",
    )
    add(
        "--validation",
        metavar="DIR",
        help="annotated clips, never trained on, for one-step overlap",
    )
    add("--teacher", nargs="+", default=["nanotrack_v2"], metavar="NETWORK")
    add("--networks-dir", metavar="DIR", help="where the teachers' files are")
    add("--out", required=True, metavar="DIR", help="folder of this run")
    add("--cache", metavar="DIR", help="folder of decoded pictures and drawn pairs (OUT/cache)")
    add("--device", default="cpu", help="cpu, cuda or cuda:N")
    add("--threads", type=int, default=1, help="of PyTorch, on a CPU")
    add("--processes", type=int, default=1, help="that draw pairs; 0: another run fills the cache")
    add("--nice", type=int, default=0, help="added to the niceness of those processes")
    add("--shape", default="k80", choices=sorted(BACKBONES))
    add("--own", choices=sorted(BACKBONES), metavar="SHAPE",
        help="a second backbone of this shape, for exemplar crops alone")  # fmt: skip
    add("--start", metavar="FILE",
        help="checkpoint to begin the first of --stages with, not the stage before")  # fmt: skip
    add("--stages", nargs="+", default=list(NAMES), choices=NAMES)
    add("--pairs", nargs=4, type=float, default=[1e6, 2e5, 1.5e5, 1e5], metavar="N",
        help="budget of the stages " + ", ".join(NAMES))  # fmt: skip
    add("--minutes", nargs=4, type=float, default=[0, 0, 0, 0], metavar="M",
        help="most minutes of the stages; 0: no limit")  # fmt: skip
    add("--lr", nargs=4, type=float, default=[1.2e-2, 3e-3, 2e-3, 1e-3], metavar="LR")
    add("--batch", type=int, default=32)
    add("--quality", type=float, default=2.0, metavar="P",
        help="how much the score ranks cells by their boxes; 0: as the teacher's does")  # fmt: skip
    add("--maps-share", type=float, default=MAPS_SHARE, metavar="W",
        help="weight of the maps' losses in stage joint")  # fmt: skip
    add("--ring", type=int, default=12288, metavar="N", help="pairs kept; 0.3 MB each")
    add("--held", type=int, default=512, metavar="N", help="pairs to judge by, held out")
    add("--seed", type=int, default=0)
    add("--judgements", type=int, default=8, metavar="N", help="validations during a stage")
    add("--checkpoint-seconds", type=float, default=120, help="between two checkpoints")
    return parser.parse_args(argv)


def held_pairs(args, bank, teachers, path):
    """Pairs from pictures that are never trained on, drawn once for a run."""
    if not path.is_file():
        drawer = Drawer(bank, held=True)
        pairs = [learnt_pair(drawer, teachers, args.seed, -1 - i) for i in range(args.held)]
        fields = layout(teachers.channels).items()
        np.savez(path, **{
            name: np.stack([np.asarray(pair[name], dtype) for pair in pairs])
            for name, (_, dtype) in fields
        })  # fmt: skip
    with np.load(path) as file:
        return dict(file)


def fill_ring(args, ring, job):
    """Start the writers and wait until there is enough to begin with."""
    writers = start_writers(job)
    enough = min(START_PAIRS, ring.size)
    while ring.filled() < enough:
        time.sleep(0.2)
        if args.processes and not any(writer.is_alive() for writer in writers):
            raise TrainingStopped(
                "every process that draws pairs has ended, see their messages above; the cache in "
                "{} may be broken: delete it and start again".format(job["ring"])
            )
    return writers


def stage_of(name, args, network, work):
    """The ``Stage`` of that name under the arguments."""
    place = NAMES.index(name)
    judge = {"backbone": work.judge_backbone, "head": work.judge_head}.get(name, work.judge_network)
    trained = {
        "backbone": lambda n: torch.nn.ModuleList(n.backbones), "head": lambda n: n.head,
        "tune": lambda n: n.head, "joint": lambda n: n,
    }[name]  # fmt: skip
    batch = args.batch * (2 if name in ("head", "tune") else 1)
    return Stage(name, network, trained, getattr(work, name + "_step"), judge,
                 args.pairs[place], args.minutes[place], args.lr[place], batch,
                 args.judgements)  # fmt: skip


def started(network, path):
    """Take over the averaged weights of any checkpoint of the same channels and head.

    What its backbone knows goes into an exemplar's own backbone too; another shape of the same
    kernels (more dilation) is a start as well.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise TrainingStopped("{} is not there; correct --start".format(path))
    weights = torch.load(path, map_location="cpu", weights_only=False)["average"]
    if network.own is not None and not any(name.startswith("own.") for name in weights):
        weights = {**weights, **{
            name.replace("backbone.", "own.", 1): value for name, value in weights.items()
            if name.startswith("backbone.")
        }}  # fmt: skip
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise TrainingStopped(
            "{} is of another network ({}); correct --start, --shape or --own".format(
                path, str(error).splitlines()[-1].strip()
            )
        ) from None


def start_weights(name, network, out):
    """Take over what earlier stages have learnt."""

    def average(stage):
        path = out / (stage + ".pt")
        if not path.is_file():
            raise TrainingStopped(
                "stage {} starts from stage {}, but {} is not there; run that first".format(
                    name, stage, path
                )
            )
        return torch.load(path, map_location="cpu", weights_only=False)["average"]

    if name == "tune":
        network.load_state_dict({**average("backbone"), **{
            key: value for key, value in average("head").items() if key.startswith("head.")
        }})  # fmt: skip
    elif name == "joint":
        network.load_state_dict(average("tune"))


def prepare(args, out, log):
    """Pictures, teachers, ring, held-out pairs -> ``Work``, processes that draw pairs."""
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        raise TrainingStopped(
            "no CUDA device is there for --device {}; use --device cpu".format(args.device)
        )
    teachers = Teachers(args.teacher, args.networks_dir)
    cache = pathlib.Path(args.cache) if args.cache else out / "cache"
    bank = build_bank(cache / "bank", args.images, args.clips, args.leave_out)
    if len(bank) < 4:
        raise BadImages("there are only {} pictures; name more with --images".format(len(bank)))
    log(event="pictures", count=len(bank), held=int(bank.held.sum()), sources=bank.sources)
    held = held_pairs(args, bank, teachers, out / "held.npz")
    plots.batch_picture(held, out / "batch.png")
    ring = Ring(cache / "ring", args.ring, teachers.channels)
    writers = fill_ring(args, ring, {
        "teachers": args.teacher, "networks_dir": args.networks_dir, "bank": str(cache / "bank"),
        "ring": str(cache / "ring"), "size": args.ring, "seed": args.seed, "nice": args.nice,
        "workers": args.processes,
    })  # fmt: skip
    one_step = OneStep(args.validation) if args.validation else None
    standard = Standard.of(held, args.device)
    work = Work(ring, held, standard, one_step, teachers, args.device, args.batch)
    work.quality, work.maps_share = args.quality, args.maps_share
    return work, writers


def main(argv=None):
    args = arguments(argv)
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    log = Log(out / "log.jsonl")
    log(event="started", torch=torch.__version__, arguments=vars(args))
    work, writers = prepare(args, out, log)
    try:
        run_stages(args, out, log, work)
    finally:
        for writer in writers:
            writer.terminate()
    if args.stages[-1] in ("tune", "joint"):
        print(json.dumps(export(out / (args.stages[-1] + ".pt"), out / "export"), indent=1))


def run_stages(args, out, log, work):
    """One stage after the other; a finished one is passed over."""
    for name in args.stages:
        torch.manual_seed(args.seed)
        network = Kestrel(args.shape, work.teachers.channels, own=args.own)
        log(stage=name, event="network", **macs(network))
        if (out / (name + ".pt")).is_file():
            pass  # the runner goes on from it
        elif args.start and name == args.stages[0]:
            started(network, args.start)
        else:
            start_weights(name, network, out)
        runner = Runner(
            stage_of(name, args, network, work), out, log, args.device, args.seed,
            args.checkpoint_seconds,
        )  # fmt: skip
        runner.run()
        plots.curves(out / "log.jsonl", out / "curves.png")


if __name__ == "__main__":
    try:
        main()
    except HotpathError as error:
        print(error, file=sys.stderr)
        sys.exit(2)

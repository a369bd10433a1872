"""python -m calib.research.sweep: judge every checkpoint of a training, and choose by a rule.

    python -m calib.research.sweep runs/mine --clips DIR --unseen DIR --workers 4
    python -m calib.research.sweep runs/mine --clips DIR --unseen DIR --tune 60

A training keeps its averaged weights at each judgement. Those of the stages tune, joint and finish
are whole trackers: the command exports each, and measures one-step overlap, AO and EAO on --clips.
The last checkpoint is chosen, unless another one is better by more than one standard error on the
same pairs; of several the best. The figures on --unseen are those to report: nothing was chosen
there. --tune then searches the tracking numbers of the chosen one (calib.tune).

Writes RUN/sweep: results.jsonl, a folder with ONNX and TOML for each checkpoint, and sweep.json. A
killed sweep goes on with the same command.
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calib.clips import Clip

os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")

import numpy as np
from tqdm import tqdm

from calib import command, eao, metrics, tune, workers
from calib.clips import find_clips
from calib.command import chosen, say
from calib.errors import BadRun, Missing
from calib.follow import follow
from calib.one_step_overlap import Finder, Pairs
from calib.research.train.judging import estimate
from calib.store import entries
from runtime import engines, load_tracker
from runtime.networks import load_network, sha256_of

NAME = "calib.research.sweep"
STAGES = ("tune", "joint", "finish")  # whose checkpoints are whole trackers
KEPT = "checkpoints"  # of the run's folder


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    cli = command.parser(NAME, __doc__)
    cli.add_argument("run", metavar="RUN", help="folder of a training")
    command.add_clip_options(cli)
    cli.add_argument(
        "--unseen", nargs="*", default=[], metavar="DIR", help="clips that nothing is chosen by"
    )
    cli.add_argument("--engine", default="auto", choices=engines.choices(of_files=True))
    cli.add_argument("--workers", type=int, default=1, metavar="N", help="processes")
    cli.add_argument("--tune", type=int, metavar="TRIALS", help="then run calib.tune on the chosen")
    return cli


def run(options: argparse.Namespace) -> None:
    """Judge what is not judged yet, choose, and write sweep.json."""
    if options.workers < 1:
        raise BadRun("--workers must be 1 or more")
    out = Path(options.run) / "sweep"
    paths = checkpoints(Path(options.run))
    clips = chosen(find_clips(options.clips, log=say), options.only)
    if len(clips) < 2:
        raise BadRun("one clip gives no standard error; name at least two with --clips")
    unseen = find_clips(options.unseen, log=say) if options.unseen else []
    both = sorted({c.sha256 for c in clips} & {c.sha256 for c in unseen})
    if both:
        name = next(clip.name for clip in clips if clip.sha256 == both[0])
        raise BadRun(f"{name} is among --clips and --unseen; name it in one of them")
    out.mkdir(exist_ok=True)
    networks = {path.stem: exported(path, out) for path in paths}
    results = measured(networks, Judge(clips, options.engine), out, options)
    pick, reason = choose(results, list(networks))
    report = {"run": options.run, "clips": [c.name for c in clips], "chosen": pick, "why": reason}
    if unseen:
        judge = Judge(unseen, options.engine)
        kept = measured({pick: networks[pick]}, judge, out, options)
        report.update(unseen=[c.name for c in unseen], unseen_figures=without_pairs(kept[pick]))
    report["results"] = {name: without_pairs(each) for name, each in results.items()}
    if options.tune:
        report["tuned"] = tuned(networks[pick], options, out)
    (out / "sweep.json").write_text(json.dumps(report, indent=1))
    print(text(report))


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run that are whole trackers, in the order of their making."""
    if not (folder / "log.jsonl").is_file():
        raise BadRun(f"{folder} is no run of calib.research.train: it has no log.jsonl")
    found = [
        path
        for stage in STAGES
        for path in sorted((folder / KEPT).glob(stage + "-*.pt"), key=pairs_of)
    ]
    if not found:
        raise BadRun(
            f"{folder / KEPT} has no checkpoint of the stages {', '.join(STAGES)}; train them "
            f"first, with `python -m calib.research.train --resume {folder}`"
        )
    return found


def pairs_of(path: Path) -> int:
    """How many pairs of its stage a checkpoint has seen, by its name STAGE-PAIRS.pt."""
    return int(path.stem.rpartition("-")[2])


def exported(path: Path, out: Path) -> Path:
    """The TOML of a checkpoint, written once."""
    folder = out / path.stem
    told = folder / "checkpoint.sha256"
    sha = sha256_of(path)
    written = sorted(folder.glob("*.toml"))
    if written and told.is_file() and told.read_text() == sha:
        return written[0]
    try:
        from calib.research.train import export
    except ImportError:
        raise Missing("checkpoints need PyTorch; run `make setup ALSO=train`") from None
    toml = export.export(path, folder)["toml"]
    told.write_text(sha)
    return Path(toml)


class Judge:
    """Measures a network on clips; can be sent to another process."""

    def __init__(self, clips: Sequence[Clip], engine: str) -> None:
        self.clips, self.engine = clips, engine

    def identity(self, toml: str | Path) -> str:
        """A text that changes with everything that the figures depend on."""
        network = load_network(str(toml))
        told: list[Any] = [sha256_of(path) for path in network.locate(None).values()]
        told += [self.engine, [clip.sha256 for clip in self.clips]]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:24]

    def score(self, toml: str | Path, clips: Any = None) -> dict[str, Any]:
        """dict of ``ao``, ``eao``, ``ms`` of a frame, and the one-step ``overlaps`` by pair."""
        network = load_network(str(toml))
        engine = engines.create(self.engine, network, network.locate(None))
        pairs = Pairs(self.clips, network)
        _, found = Finder(network, engine).run(pairs)
        engine.close()
        tracker = load_tracker(str(toml), engine=self.engine, precision="fp32", threads=1)
        ao, runs, ms = [], [], []
        for clip in self.clips:
            followed = follow(tracker, clip)
            ao.append(metrics.figures(np.array(followed["boxes"]), clip.boxes)["ao"])
            ms += followed["ms"]
            runs += eao.runs_of(tracker, list(clip), clip.boxes)
        tracker.close()
        return {
            "ao": float(np.mean(ao)),
            "eao": eao.score(runs),
            "ms": float(np.median(ms)),
            "overlaps": [round(float(value), 4) for value in found],
            "clip": [int(index) for index in pairs.clip],
        }


def measured(
    networks: dict[str, Path], judge: Judge, out: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """dict of name -> figures; each is kept in results.jsonl as soon as it is there."""
    path = out / "results.jsonl"
    kept = {key: found for key, _, found in entries(path)}
    keys = {name: judge.identity(toml) for name, toml in networks.items()}
    todo = [name for name in networks if keys[name] not in kept]
    if todo:
        with workers.open_pool(judge, min(options.workers, len(todo))) as pool:
            scores = pool([str(networks[name]) for name in todo])
            bar = tqdm(total=len(todo), unit="checkpoint", disable=None)
            for name, found in zip(todo, scores):
                with open(path, "a") as file:
                    file.write(json.dumps([keys[name], name, found]) + "\n")
                kept[keys[name]] = found
                bar.update()
            bar.close()
    results = {name: dict(kept[keys[name]]) for name in networks}
    for each in results.values():
        mean, error = estimate(each["overlaps"], each["clip"])
        each.update(one_step=mean, one_step_error=error)
    return results


def choose(results: dict[str, Any], names: Sequence[str]) -> tuple[str, str]:
    """(name of the chosen checkpoint, why): see the module's text.

    The best of many is partly the luckiest of them. So a checkpoint has to be better than the last
    one by more than the standard error of their difference on the same pairs.
    """
    last = names[-1]
    best, gained = last, 0.0
    for name in names[:-1]:
        difference = np.subtract(results[name]["overlaps"], results[last]["overlaps"])
        gain, error = estimate(difference, results[last]["clip"])
        if gain > error and gain > gained:
            best, gained, sure = name, gain, error
    if best == last:
        return last, "the last one; none is better by more than one standard error"
    return best, f"better than the last one by {gained:.4f} ± {sure:.4f}"


def tuned(toml: Path, options: argparse.Namespace, out: Path) -> dict[str, Any]:
    """What calib.tune finds for the chosen checkpoint."""
    given = ["--network", str(toml), "--clips", *options.clips, "--trials", str(options.tune)]
    given += ["--workers", str(options.workers), "--out", str(out / "tune")]
    given += ["--engine", options.engine]
    given += ["--only", options.only] if options.only else []
    if tune.main(given):
        raise BadRun(f"calib.tune failed, see above; the sweep itself is in {out}")
    report = json.loads((out / "tune" / (toml.stem + "-tune.json")).read_text())
    return {key: report[key] for key in ("best", "score", "score_held_out")}


def without_pairs(found: dict[str, Any]) -> dict[str, Any]:
    """Figures without the lists by pair."""
    return {key: value for key, value in found.items() if key not in ("overlaps", "clip")}


def text(report: dict[str, Any]) -> str:
    """The table for the terminal."""
    lines = ["checkpoint            one-step            AO    EAO  ms a frame"]
    for name, each in report["results"].items():
        mark = "*" if name == report["chosen"] else " "
        lines.append(f"{mark} {_line(name, each)}")
    lines.append(f"* {report['why']}")
    if "unseen_figures" in report:
        lines.append("  " + _line("on --unseen", report["unseen_figures"]))
    if "tuned" in report:
        held = report["tuned"]["score_held_out"]
        told = f"{held['start']:.3f} to {held['best']:.3f}"
        lines.append(f"tuned: {told} on clips that were held out")
    return "\n".join(lines)


def _line(name: str, each: dict[str, Any]) -> str:
    one_step = f"{each['one_step']:.4f} ± {each['one_step_error']:.4f}"
    return f"{name:18} {one_step}  {each['ao']:.3f}  {each['eao']:.3f}  {each['ms']:.2f}"


main = command.main(NAME, run, parser)

if __name__ == "__main__":
    sys.exit(main())

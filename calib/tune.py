"""hotpath tune: search the tracking numbers (penalty, window, lr) that suit some clips.

    hotpath tune --network nanotrack_v2 --networks-dir DIR --clips DIR --trials 60

The search uses half of the clips and reports the score on the other half, because numbers that fit
a few clips need not fit others. OUT/NAME.journal keeps every trial. A killed search goes on with
the same command; with other clips, numbers or seed another search begins. Each trial is drawn with
a seed from its place, so the result does not depend on a kill.

The trials have no search for a lost target. With peak_share or peak_window among the --parameters,
they have it, and so they choose among the peaks of the score map.

Writes NAME-tuned.toml, which --network takes, and NAME-tune.json.
"""

import argparse
import copy
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from hotpath.calib import command, metrics
from hotpath.calib.command import chosen, say
from hotpath.calib.errors import BadRun, Missing
from hotpath.calib.follow import follow
from hotpath.kernels import cpu, toml
from hotpath.kernels.commands import counted, needs
from hotpath.runtime import engines
from hotpath.runtime.devices.processor import Processor
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.network import Network
from hotpath.runtime.networks import load_network, sha256_of
from hotpath.runtime.track.video.clips import Clip, find_clips
from hotpath.runtime.tracker import Tracker

RANGES = {"penalty": (0.0, 0.6), "window": (0.05, 0.7), "lr": (0.1, 0.9)}
CHOICE = {"peak_share": (0.0, 0.9), "peak_window": (0.0, 2.0)}  # these need the search
MOST_BYTES = 2 << 30  # of decoded frames
NO_GAIN = (
    "The held-out clips do not gain from these numbers, which fit only the searched clips. Keep "
    "the old numbers, or search on more clips."
)


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("hotpath tune", __doc__)
    text = "the network whose numbers are searched"
    cli.add_argument("--network", required=True, metavar="NAME|FILE.toml", help=text)
    command.add_network_options(cli)
    command.add_clip_options(cli)
    cli.add_argument(
        "--held-out",
        metavar="NAME,NAME",
        help="clips that the search does not use (default: every second clip)",
    )
    text = "sets of numbers to try (default: %(default)s)"
    cli.add_argument("--trials", type=int, default=60, metavar="N", help=text)
    cli.add_argument(
        "--parameters",
        metavar="NAME,NAME",
        help="keys of [tracking] in the network's TOML (default: those that it has of "
        f"{', '.join(RANGES)})",
    )
    cli.add_argument("--seed", type=int, default=1, metavar="N", help="of the random sets")
    text = "folder to write to (default: %(default)s)"
    cli.add_argument("--out", default="out/tune", metavar="DIR", help=text)
    return cli


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Search; returns what NAME-tune.json holds."""
    if options.trials < 1:
        raise BadRun("--trials must be 1 or more")
    network = load_network(options.network)
    names = options.parameters.split(",") if options.parameters else tunable(network)
    if not names:
        raise BadRun(f"{network.name} has none of {', '.join(RANGES)}; name --parameters")
    ranges = {name: range_of(network, name) for name in names}
    clips = chosen(find_clips(options.clips, log=say), options.only)
    seen, held = command.parted(clips, options.held_out)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    scorer = Scorer(network, options, seen)
    start = {name: float(getattr(network, name)) for name in ranges}
    depends = [scorer.depends, options.seed, ranges]
    study = open_study(out / (network.name + ".journal"), depends)
    search(study, options, ranges, start, scorer)
    best, done = study.best_trial, finished(study)
    report = {
        "trials": len(done),
        "clips": [clip.name for clip in seen],
        "held_out": [clip.name for clip in held],
        "start": start,
        "best": best.params,
        "score": {"start": done[0].value, "best": best.value},
        "score_held_out": {
            "start": scorer.score(start, held),
            "best": scorer.score(best.params, held),
        },
        "history": [dict(trial.params, score=trial.value) for trial in done],
    }
    table = toml.read(network.path, BadNetwork)
    table.setdefault("tracking", {}).update({k: round(v, 4) for k, v in best.params.items()})
    note = f"{network.name} with tracking numbers found by calib.tune.\n{text(report)}"
    tuned, told = out / (network.name + "-tuned.toml"), out / (network.name + "-tune.json")
    tuned.write_text(toml.text(table, note))
    told.write_text(json.dumps(report, indent=1))
    say(text(report))
    command.wrote(tuned, told)
    return report


def tunable(network: Network) -> list[str]:
    """Those of ``RANGES`` that a network has; its family says which."""
    return [name for name in RANGES if isinstance(getattr(network, name, None), float)]


def range_of(network: Network, name: str) -> tuple[float, float]:
    """(low, high) that a parameter is searched in."""
    value = getattr(network, name, None)
    if not isinstance(value, float):
        there = ", ".join(tunable(network)) or "none"
        raise BadRun(f"{network.name} has no number called {name!r} to tune; there are: {there}")
    known = {**RANGES, **CHOICE}
    if name in known:
        return known[name]
    return (0.0, 1.0) if 0 <= value <= 1 else (value / 3, value * 3)


class Scorer:
    """Scores parameters of a network on some clips.

    Attributes:
        depends: all that the scores depend on.
    """

    def __init__(self, network: Network, options: argparse.Namespace, clips: Sequence[Clip]):
        self._network = network
        paths = network.locate(options.networks_dir)
        files = {part: sha256_of(path) for part, path in paths.items()}
        hashes = [clip.sha256 for clip in clips]
        self.depends = [options.engine, sha256_of(network.path), files, hashes]
        self._clips = [clip.in_memory(MOST_BYTES // len(clips)) for clip in clips]
        cv2.setNumThreads(1)
        self._parts = engines.create(options.engine, network, paths), cpu.load()

    def score(self, parameters: dict[str, float], clips: Sequence[Clip] = ()) -> float:
        """Return the mean AO of the clips, or of other ones."""
        network = copy.copy(self._network)
        vars(network).update(parameters)
        chooses = not CHOICE.keys().isdisjoint(parameters)
        tracker = Tracker(Processor(network, *self._parts), recover=chooses)
        if chooses and not tracker.searches:
            raise BadRun(f"{network.name} can't choose among peaks: {tracker.why_no_search}")
        found = []
        for clip in clips or self._clips:
            boxes = np.array(follow(tracker, clip)["boxes"])
            found.append(metrics.figures(boxes, clip.boxes)["ao"])
        return float(np.mean(found))


def open_study(path: Path, depends: Sequence[Any]) -> Any:
    """The study in a journal of a search that depends on ``depends``: a new one or the old."""
    optuna = library()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    backend = optuna.storages.journal.JournalFileBackend(str(path))
    return optuna.create_study(
        storage=optuna.storages.JournalStorage(backend),
        study_name=hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest(),
        direction="maximize",
        load_if_exists=True,
    )


def library() -> Any:
    """Optuna."""
    try:
        import optuna

        return optuna
    except ImportError as error:
        raise Missing(needs("the search", "optuna", error, "tune")) from None


def finished(study: Any) -> list[Any]:
    """The trials that have a score, in order."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.value is not None]


def search(
    study: Any,
    options: argparse.Namespace,
    ranges: dict[str, tuple[float, float]],
    start: dict[str, float],
    scorer: Scorer,
) -> None:
    """Draw and score until there are enough trials; the first has the network's own numbers."""
    done = len(finished(study))
    with tqdm(total=options.trials, initial=done, unit=" trials", disable=None) as bar:
        for number in range(done, options.trials):
            if not number:
                study.enqueue_trial(start)
            # new for each trial: it depends only on the journal and on the seed
            sampler = library().samplers.TPESampler
            study.sampler = sampler(seed=options.seed + number, multivariate=True)
            drawn = study.ask()
            for name, span in ranges.items():
                drawn.suggest_float(name, *span)
            rounded = {name: round(drawn.params[name], 4) for name in ranges}
            study.tell(drawn, scorer.score(rounded))
            bar.update()
            bar.set_postfix_str(f"best {study.best_value:.4f}")


def text(report: dict[str, Any]) -> str:
    """Return the outcome as lines of text."""
    lines = [counted(report["trials"], "trial")]
    for name, best in report["best"].items():
        lines.append(f"{name:<10} {report['start'][name]:.4f} -> {best:.4f}")
    for label, key in (("searched clips", "score"), ("held-out clips", "score_held_out")):
        start, best = (report[key][which] for which in ("start", "best"))
        lines.append(f"{label:<16} {start:.4f} -> {best:.4f} ({best - start:+.4f})")
    return "\n".join(lines + [NO_GAIN] * (best <= start))


main = command.main("hotpath tune", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())

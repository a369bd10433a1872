"""python -m calib.tune: search the tracking numbers (penalty, window, lr) that suit some clips.

    python -m calib.tune --network nanotrack_v2 --networks-dir DIR --clips DIR --trials 60

The search uses half of the clips and reports the score on the other half, because numbers that fit
a few clips need not fit others. Every trial is a line of OUT/NAME.journal. A killed search goes on
with the same command. Each trial is drawn with a seed from its place, so the result does not depend
on a kill.

Writes NAME-tuned.toml, which --network takes, and NAME-tune.json.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from runtime.network import Network

os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")

from tqdm import tqdm

from boards import toml
from calib import command
from calib.clips import find_clips
from calib.command import chosen, say
from calib.errors import BadRun, Missing
from calib.trial import Trial
from runtime.errors import BadNetwork
from runtime.networks import load_network

RANGES = {"penalty": (0.0, 0.6), "window": (0.05, 0.7), "lr": (0.1, 0.9)}


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("calib.tune", __doc__)
    cli.add_argument("--network", required=True, metavar="NAME|FILE.toml")
    command.add_network_options(cli)
    command.add_clip_options(cli)
    cli.add_argument(
        "--held-out",
        metavar="NAME,NAME",
        help="clips that the search does not use (default: every second clip)",
    )
    cli.add_argument("--trials", type=int, default=60, metavar="N")
    cli.add_argument(
        "--parameters",
        default=",".join(RANGES),
        metavar="NAME,NAME",
        help="keys of [tracking] in the network's TOML (default: %(default)s)",
    )
    cli.add_argument("--seed", type=int, default=1)
    cli.add_argument("--out", default="out/tune", metavar="DIR")
    return cli


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Search; returns what NAME-tune.json holds."""
    if options.trials < 1:
        raise BadRun("--trials must be 1 or more")
    network = load_network(options.network)
    names = options.parameters.split(",")
    ranges = {name: range_of(network, name) for name in names}
    clips = chosen(find_clips(options.clips, log=say), options.only)
    seen, held = command.parted(clips, options.held_out)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    trial = Trial(str(network.path), options.engine, options.networks_dir, seen)
    start = {name: float(getattr(network, name)) for name in names}

    study = open_study(options, out / (network.name + ".journal"), trial.identity, ranges)
    search(study, options, ranges, start, trial)
    best = study.best_trial
    other = [trial.score(each, held) for each in (start, best.params)]
    report = {
        "network": network.name,
        "engine": options.engine,
        "seed": options.seed,
        "trials": len(finished(study)),
        "clips": [clip.name for clip in seen],
        "held_out": [clip.name for clip in held],
        "start": start,
        "best": best.params,
        "score": {"start": finished(study)[0].value, "best": best.value},
        "score_held_out": {"start": other[0], "best": other[1]},
        "history": [dict(t.params, score=t.value) for t in finished(study)],
    }
    write(report, network, out)
    say(text(report))
    return report


def range_of(network: Network, name: str) -> tuple[float, float]:
    """(low, high) that a parameter is searched in."""
    if name in RANGES:
        return RANGES[name]
    value = getattr(network, name, None)
    if not isinstance(value, float):
        raise BadRun(
            "{} has no number called {!r} to tune; there are: {}".format(
                network.name, name, ", ".join(RANGES)
            )
        )
    return (0.0, 1.0) if 0 <= value <= 1 else (value / 3, value * 3)


# -- the search


def open_study(
    options: argparse.Namespace,
    path: Path,
    identity: str,
    ranges: dict[str, tuple[float, float]],
) -> Any:
    """The study of a journal, a new one or the old.

    Raises:
        BadRun: the journal belongs to another search.
    """
    optuna = library()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    backend = optuna.storages.journal.JournalFileBackend(str(path))
    study = optuna.create_study(
        storage=optuna.storages.JournalStorage(backend),
        study_name="tune",
        direction="maximize",
        load_if_exists=True,
    )
    said = {
        "identity": identity,
        "seed": options.seed,
        "ranges": {k: list(v) for k, v in ranges.items()},
    }
    before = study.user_attrs.get("search")
    if before is None:
        study.set_user_attr("search", said)
    elif before != said:
        changed = [key for key in said if before.get(key) != said[key]]
        raise BadRun(
            "{} is the journal of another search ({} changed); give the same options "
            "again, or another --out".format(path, ", ".join(changed))
        )
    return study


def library() -> Any:
    """Optuna."""
    try:
        import optuna

        return optuna
    except ImportError:
        raise Missing("the search needs Optuna; run `pip install optuna==5.0.0`") from None


def finished(study: Any) -> list[Any]:
    """The trials that have a score, in order."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.value is not None]


def search(
    study: Any,
    options: argparse.Namespace,
    ranges: dict[str, tuple[float, float]],
    start: dict[str, float],
    scorer: Trial,
) -> None:
    """Draw and score until there are enough trials; the first has the network's own numbers."""
    done = len(finished(study))
    with tqdm(total=options.trials, initial=done, unit=" trials", disable=None) as bar:
        for number in range(done, options.trials):
            if not number:
                study.enqueue_trial(start)
            # new for each trial: it depends on the journal and on the seed alone
            sampler = library().samplers.TPESampler
            study.sampler = sampler(seed=options.seed + number, multivariate=True)
            drawn = study.ask()
            for name, span in ranges.items():
                drawn.suggest_float(name, *span)
            rounded = {name: round(drawn.params[name], 4) for name in ranges}
            study.tell(drawn, scorer.score(rounded))
            bar.update()
            bar.set_postfix_str(f"best {study.best_value:.4f}")


# -- results


def write(report: dict[str, Any], network: Network, out: Path) -> None:
    """Write NAME-tuned.toml and NAME-tune.json."""
    table = toml.read(network.path, BadNetwork)
    table.setdefault("tracking", {}).update(
        {name: round(value, 4) for name, value in report["best"].items()}
    )
    note = (
        "{} with tracking numbers found by calib.tune on\n{}:\nAO {:.4f} instead of {:.4f} there, "
        "{:.4f} instead of {:.4f} on held-out clips."
    ).format(
        network.name,
        ", ".join(report["clips"]),
        report["score"]["best"],
        report["score"]["start"],
        report["score_held_out"]["best"],
        report["score_held_out"]["start"],
    )
    (out / (network.name + "-tuned.toml")).write_text(toml.text(table, note))
    (out / (network.name + "-tune.json")).write_text(json.dumps(report, indent=1))


def text(report: dict[str, Any]) -> str:
    """Return the outcome as lines of text."""
    lines = [f"{report['trials']} trials"]
    for name in report["best"]:
        lines.append(
            "{:<10} {:.4f} -> {:.4f}".format(name, report["start"][name], report["best"][name])
        )
    for label, key in (("searched clips", "score"), ("held-out clips", "score_held_out")):
        score = report[key]
        lines.append(
            "{:<16} {:.4f} -> {:.4f} ({:+.4f})".format(
                label, score["start"], score["best"], score["best"] - score["start"]
            )
        )
    if report["score_held_out"]["best"] <= report["score_held_out"]["start"]:
        lines.append(
            "The held-out clips do not gain from these numbers, which fit the searched "
            "clips alone. Keep the old numbers, or search on more clips."
        )
    return "\n".join(lines)


main = command.main("calib.tune", run, parser)

if __name__ == "__main__":
    sys.exit(main())

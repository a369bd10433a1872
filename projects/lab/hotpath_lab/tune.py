"""hotpath tune: find better numbers and conventions for a network's TOML, on annotated clips.

    hotpath tune --network nanotrack_v2 --networks-dir DIR --clips DIR --trials 60
    hotpath tune --network mine.toml --clips DIR --parameters colours,crop,border --write

The score is the mean overlap of whole tracks. For the thresholds of a loss, use
``python -m hotpath_lab.thresholds``.

Each number is drawn from a range. For a convention, such as colours or crop, the alternatives are
those that are usual in the network's family, and the value in the TOML.

The search uses half of the clips and reports the score on the other half, because numbers that fit
a few clips may not fit others. OUT/NAME.journal keeps every trial. The same command continues an
interrupted search; other clips, numbers or seeds begin another one. Each trial is drawn with a seed
from its place, so the result does not depend on an interruption.

The trials search for a lost target if one of the --parameters needs the search.

The command writes NAME-tuned.toml, which --network takes, and NAME-tune.json. If the network has an
INT8 form, it also writes NAME-tuned-int8.toml. It copies the files of the network that these TOMLs
would not find. --write also changes the network's own TOML and that of its INT8 form, but only if
the overlap rises on the held-out clips.
"""

import argparse
import hashlib
import importlib
import json
import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from tqdm import tqdm

from hotpath.base import cache
from hotpath.base.messages import counted, missing_package_text
from hotpath.calib import command_line
from hotpath.calib.command_line import find_chosen_clips, say
from hotpath.calib.errors import BadRun, MissingLibrary
from hotpath.calib.plots import pyplot
from hotpath.runtime.engines.shared.precision import SUFFIX, int8_form
from hotpath.runtime.errors import BadNetwork, NetworkFailed
from hotpath.runtime.network import Network, data_beside, sha256_of
from hotpath.runtime.networks import load_network
from hotpath_lab.conventions import OWN, QUESTIONS, Conventions
from hotpath_lab.scorer import PEAKS, SEARCH, Numbers, Scorer, held

Range = tuple[float, float]
Span = Range | list[str]  # of a number, or the answers of a convention
SHAPE: dict[str, Range] = {
    "penalty": (0.0, 0.6),
    "window_influence": (0.05, 0.7),
    "size_lr": (0.1, 0.9),
}
RANGES: dict[str, Range] = {
    **SHAPE,
    **dict(zip(SEARCH, [(0.05, 0.8), (0.05, 0.8), (0.2, 0.95)])),
    **dict(zip(PEAKS, [(0.0, 0.9)])),
}
MOST_BYTES = 2 << 30  # of decoded frames
DIGITS = 4  # behind the point, of every number
CLOSE = 0.01  # scores of conventions that differ by less can't be told apart
OWN_ARE_BEST = "No other set of numbers is better on the searched clips; the old ones stay."
NO_GAIN = (
    "The held-out clips do not gain from these numbers, which fit only the searched clips. Keep "
    "the old numbers, or search on more clips."
)


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser("hotpath tune", __doc__)
    text = "the network whose numbers are searched"
    cli.add_argument("--network", required=True, metavar="NAME|FILE.toml", help=text)
    command_line.add_network_options(cli)
    command_line.add_clip_options(cli)
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
        f"{', '.join(SHAPE)}), and conventions of its files: {', '.join(QUESTIONS)}",
    )
    cli.add_argument("--seed", type=int, default=1, metavar="N", help="of the random sets")
    cli.add_argument("--storage", help=argparse.SUPPRESS)
    text = "folder to write to (default: %(default)s)"
    cli.add_argument("--out", default="out/tune", metavar="DIR", help=text)
    text = "change the network's own TOML, and that of its INT8 form, if the held-out clips gain"
    cli.add_argument("--write", action="store_true", help=text)
    return cli


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Search; returns what NAME-tune.json holds."""
    if options.trials < 1:
        raise BadRun("--trials must be 1 or more")
    if options.storage:
        raise BadRun(
            "--storage is gone: one process searches, and keeps its trials in OUT/NAME.journal"
        )
    network = load_network(options.network)
    names = options.parameters.split(",") if options.parameters else tunable(network)
    if not names:
        raise BadRun(f"{network.name} has none of {', '.join(SHAPE)}; name --parameters")
    asked = [name for name in names if name in QUESTIONS]
    names = [name for name in names if name not in asked]
    conventions = Conventions(network, network.locate(options.networks_dir), asked)
    ranges: dict[str, Span] = {name: range_of(network, name) for name in names}
    ranges.update(conventions.choices)
    clips = find_chosen_clips(options.clips, options.only)
    seen, others = command_line.split_clips(clips, options.held_out)
    scorer = Scorer(network, options, names, conventions)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    hashes = [clip.sha256 for clip in seen]
    journal = out / (network.name + ".journal")
    study = open_study(journal, [scorer.depends, options.seed, ranges, hashes])
    if finished(study):
        say(f"{journal} has {counted(len(finished(study)), 'trial')} of this search, which goes on")
    in_memory = held(seen, MOST_BYTES)
    start: Numbers = {name: start_of(network, name) for name in names}
    library("tomlkit")  # which writes what is found
    start.update(dict.fromkeys(asked, OWN))

    failed: list[Exception] = []

    def score_on(clips: Sequence[Any], numbers: Numbers) -> float:
        try:
            return scorer.score(numbers, clips)
        except (BadNetwork, NetworkFailed) as error:
            if not asked:
                raise
            failed.append(error)  # conventions that do not fit the files
            return 0.0

    def score(drawn: Numbers) -> float:
        return score_on(in_memory, sensible(network, drawn))

    search(study, options, ranges, start, score)
    if failed and study.best_value <= 0:
        raise failed[-1]
    done = finished(study)
    best = sensible(network, best_of(done, asked).params)
    both, unseen = {"start": start, "best": best}, held(others, 0)
    report = {
        "trials": len(done),
        "clips": [clip.name for clip in seen],
        "held_out": [clip.name for clip in others],
        **both,
        "score": {which: score_on(in_memory, numbers) for which, numbers in both.items()},
        "score_held_out": {which: score_on(unseen, numbers) for which, numbers in both.items()},
        "history": [dict(sensible(network, trial.params), score=trial.value) for trial in done],
    }
    write(options, network, report, out, conventions)
    return report


def tunable(network: Network, names: Iterable[str] = SHAPE) -> list[str]:
    """Those of some numbers that a network has; its family says which."""
    return [name for name in names if isinstance(getattr(network, name, None), float)]


def range_of(network: Network, name: str) -> Range:
    """(low, high) that a parameter is searched in."""
    value = getattr(network, name, None)
    if not isinstance(value, float):
        there = ", ".join(tunable(network, RANGES)) or "none"
        raise BadRun(
            f"{network.name} has no number called {name!r} to tune; there are: {there}",
            what="unknown number",
        )
    if name in RANGES:
        return RANGES[name]
    return (0.0, 1.0) if 0 <= value <= 1 else (value / 3, value * 3)


def start_of(network: Network, name: str) -> float:
    """The number that the first trial has: the network's, or the middle where it has none."""
    value = float(getattr(network, name))
    return sum(RANGES[name]) / 2 if name in SEARCH and not value else value


def sensible(network: Network, drawn: Numbers) -> Numbers:
    """Numbers as they are scored and written: rounded, and ``found_above`` not below the others."""
    numbers = {
        name: value if isinstance(value, str) else round(value, DIGITS)
        for name, value in drawn.items()
    }
    most = numbers.get(SEARCH[-1], network.found_above)
    return {name: min(value, most) if name in SEARCH else value for name, value in numbers.items()}


# -- the search


def open_study(journal: Path, depends: Sequence[Any]) -> Any:
    """The study of a search that depends on ``depends``: a new one or that of the journal."""
    optuna = library("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storages = optuna.storages
    return optuna.create_study(
        storage=storages.JournalStorage(storages.journal.JournalFileBackend(str(journal))),
        study_name=hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest(),
        direction="maximize",
        load_if_exists=True,
    )


def library(name: str) -> ModuleType:
    """A library of this project.

    Raises:
        Missing: it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingLibrary(missing_package_text("the search", name, error, "lab")) from None


def finished(study: Any) -> list[Any]:
    """The trials that have a score, in order."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.value is not None]


def search(
    study: Any,
    options: argparse.Namespace,
    ranges: dict[str, Span],
    start: Numbers,
    score: Callable[[Numbers], float],
) -> None:
    """Draw and score until there are enough trials; the first has the network's own numbers."""
    done = len(finished(study))
    with tqdm(total=options.trials, initial=done, unit=" trials", disable=None) as bar:
        while done < options.trials:
            if not done:
                study.enqueue_trial(start)
            # new for each trial, so that it depends only on the journal and on the seed
            seed = options.seed + done
            study.sampler = library("optuna").samplers.TPESampler(seed=seed, multivariate=True)
            drawn = study.ask()
            for name, span in ranges.items():
                if isinstance(span, list):
                    drawn.suggest_categorical(name, span)
                else:
                    drawn.suggest_float(name, *span)
            study.tell(drawn, score(drawn.params))
            done = len(finished(study))
            bar.update(done - bar.n)
            bar.set_postfix_str(f"best {study.best_value:.4f}")


# -- what was found


def best_of(trials: list[Any], questions: Sequence[str]) -> Any:
    """The best trial; of those that can't be told apart from it, one that keeps most conventions.

    Args:
        trials: with a score.
        questions: the conventions among their parameters.
    """
    top = max(trial.value for trial in trials)
    close = [trial for trial in trials if trial.value >= top - CLOSE * bool(questions)]
    kept = [sum(trial.params[each] == OWN for each in questions) for trial in close]
    return max(zip(kept, close), key=lambda pair: (pair[0], pair[1].value))[1]


def picture(report: dict[str, Any], path: Path) -> Path:
    """Draw the score of each trial, the best so far, and the values on held-out clips."""
    plt = pyplot()
    chart, axes = plt.subplots(figsize=(8, 4), dpi=110)
    scores = [trial["score"] for trial in report["history"]]
    numbers = range(1, len(scores) + 1)
    axes.plot(numbers, scores, "o", color="#56b4e9", markersize=3, label="a trial")
    axes.step(
        numbers,
        np.maximum.accumulate(scores),
        where="post",
        color="#0072b2",
        label="the best so far",
    )
    for which, style in (("start", ":"), ("best", "--")):
        value = report["score_held_out"][which]
        axes.axhline(
            value, linestyle=style, color="#d55e00", label=f"{which}, held out {value:.4f}"
        )
    axes.set(xlabel="trial", ylabel="mean overlap")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    chart.savefig(path, bbox_inches="tight")
    plt.close(chart)
    return path


def write(
    options: argparse.Namespace,
    network: Network,
    report: dict[str, Any],
    out: Path,
    conventions: Conventions,
) -> None:
    """Write both files of OUT and, where asked, the network's own; tell the outcome."""
    tuned, report_path = out / (network.name + "-tuned.toml"), out / (network.name + "-tune.json")
    tuned_int8 = tuned.with_name(tuned.stem + SUFFIX + ".toml")
    tuned_int8.unlink(missing_ok=True)  # of an earlier search
    form = int8_form(network)
    int8 = None if form is None or form is network else form.path
    note = f"{network.name} with tracking numbers found by hotpath tune.\n{text(report)}"
    lines = "".join(f"# {line}\n" for line in note.splitlines())
    answers = {name: report["best"][name] for name in conventions.choices}
    numbers = {name: value for name, value in report["best"].items() if name not in answers}
    values = {"tracking": numbers, **conventions.sections(answers)}
    cache.write_text(tuned, lines + changed(network.path, values))
    written_too = bring_files(network, tuned, options.networks_dir)
    keeps_int8 = set(answers.values()) <= {OWN}
    if form is not None and int8 is not None and keeps_int8:
        cache.write_text(tuned_int8, lines + changed(int8, {"tracking": numbers}))
        try:
            written_too += [tuned_int8, *bring_files(form, tuned_int8, options.networks_dir)]
        except BadNetwork as error:
            tuned_int8.unlink()
            say(f"{tuned} runs in fp32: {error}")
    cache.write_text(report_path, json.dumps(finite(report), indent=1, allow_nan=False))
    say(text(report))
    command_line.say_written(
        tuned, *written_too, report_path, picture(report, out / (network.name + "-tune.png"))
    )
    if int8 is not None and not keeps_int8:
        say(
            f"{tuned} runs in fp32, because {int8} has the old conventions; `hotpath int8 "
            f"--network {tuned} --clips DIR` makes a new INT8 form"
        )
    if not options.write:
        return
    if not gains(report):
        say(f"{network.path} stays as it was")
        return
    cache.write_text(network.path, changed(network.path, values))
    command_line.say_written(network.path)
    if int8 is not None and keeps_int8:
        cache.write_text(int8, changed(int8, {"tracking": numbers}))
        command_line.say_written(int8)
    elif int8 is not None:
        say(f"{int8} has the old conventions; make it anew with `hotpath int8`")


def bring_files(network: Network, toml_path: Path, networks_dir: str | None) -> list[Path]:
    """Copy the files of a network that a TOML in another folder would not find.

    Args:
        network: the network as it was.
        toml_path: a TOML that names the same files.
        networks_dir: the folder in which the network's files were looked for, or None.

    Returns:
        The copies.
    """
    tuned, copies = load_network(toml_path), []
    needed: list[tuple[Path, Callable[[], Path]]] = [
        (network.locate_file(entry, networks_dir), partial(tuned.locate_file, entry, None))
        for entry in network.files
    ]
    needed += [
        (network.locate_made(made), partial(tuned.locate_made, made))
        for made in (network.negatives, network.point_prompt)
        if made
    ]
    for path, there in needed:
        try:
            is_found = sha256_of(there()) == sha256_of(path)
        except BadNetwork:
            is_found = False
        if not is_found:
            for each in (path, *data_beside(path)):
                copy = toml_path.parent / each.relative_to(path.parent)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(each, copy)
                copies.append(copy)
    return copies


def changed(path: Path, values: dict[str, dict[str, Any]]) -> str:
    """A network's TOML with other values of some keys; comments, order and the rest stay.

    Args:
        path: of the TOML.
        values: dict of section -> dict of key -> value; None removes the key.
    """
    tomlkit = library("tomlkit")
    document = tomlkit.parse(path.read_text())
    for section, keys in values.items():
        for name, value in keys.items():
            if value is not None:
                document.setdefault(section, {})[name] = value
            elif section in document:
                document[section].pop(name, None)
    return str(tomlkit.dumps(document))


def finite(value: Any) -> Any:
    """A report with None in place of what JSON has no number for."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def gains(report: dict[str, Any]) -> bool:
    """Whether the held-out clips gain from what was found."""
    scores = report["score_held_out"]
    return bool(scores["best"] > scores["start"])


def text(report: dict[str, Any]) -> str:
    """Return the outcome as lines of text."""
    lines = [counted(report["trials"], "trial")]
    wide = max(map(len, report["best"]))
    for name, best in report["best"].items():
        own = report["start"][name]
        pair = f"{own} -> {best}" if isinstance(own, str) else f"{own:.4f} -> {best:.4f}"
        lines.append(f"{name:<{wide}} {pair}")
    for label, key in (("searched", "score"), ("held-out", "score_held_out")):
        start, best = (report[key][which] for which in ("start", "best"))
        change = f"{start:.4f} -> {best:.4f} ({best - start:+.4f})"
        lines.append(f"{label} clips, mean overlap {change}")
    if report["best"] == report["start"]:
        lines.append(OWN_ARE_BEST)
    elif not gains(report):
        lines.append(NO_GAIN)
    return "\n".join(lines)


main = command_line.main("hotpath tune", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())

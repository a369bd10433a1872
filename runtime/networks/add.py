"""Add a network: write the TOML for its ONNX files, and say how each key was found."""

import math
import pathlib
import shutil
import typing

import numpy as np

from boards import toml
from runtime.errors import BadNetwork, BadOutput
from runtime.networks import find_toml, schema
from runtime.networks.network import Network, sha256_of
from runtime.networks.propose import Changes, Proposal, Table, propose
from runtime.networks.trial import Trial, read_clips

FEW, MANY = 2, 8  # steps of each clip, to sort out and to decide
CLOSE = 0.01  # overlaps that differ by less can't be told apart
KEPT = 4  # candidates that are measured again with more steps

Say = typing.Callable[[str], typing.Any]


def add(
    files: "typing.Sequence[pathlib.Path]",
    name: str,
    folder: pathlib.Path,
    like: "typing.Optional[str]" = None,
    clips: "typing.Optional[pathlib.Path]" = None,
    engine: str = "auto",
    say: Say = print,
) -> pathlib.Path:
    """Write the TOML of a network.

    Args:
        files: its ONNX files.
        name: of the TOML, without ``.toml``.
        folder: where the TOML and copies of the files go.
        like: name of a network, or a TOML, with the settings to take; None to find them.
        clips: folder of annotated clips to try on; None to take the usual values.
        engine: name of the engine to try them with.
        say: function of one line.

    Returns:
        the TOML's path.

    Raises:
        BadNetwork: the files have no known form.
        BadSource: no annotated clip.
        BadOutput: the TOML is there already, or can't be written.
    """
    path = folder / (name + ".toml")
    if path.exists():
        raise BadOutput("{} is there already; take another --name".format(path))
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise BadNetwork("there is no file {}; name the ONNX files".format(missing[0]))
    proposal = propose(files)
    table = proposal.table
    parts = {entry["part"]: entry["name"] for entry in table["file"]}
    paths = {part: next(f for f in files if f.name == name) for part, name in parts.items()}
    say("parts      {}".format(", ".join("{} {}".format(*item) for item in parts.items())))
    say("family     {}".format(table["family"]))
    say("sides      {exemplar} and {search} px".format(**table["input"]))
    if like:
        original = toml.read(find_toml(like), BadNetwork)
        for section in ("input", "head", "tracking"):
            table[section] = dict(original.get(section, {}))
        table["family"] = original["family"]
        proposal = Proposal(table, {})
    if clips and not like:
        table = _tried(proposal, paths, clips, engine, say)
    else:
        table = _first(proposal, say)
    for entry in table["file"]:
        entry["sha256"] = sha256_of(paths[entry["part"]])
    network_of(table, path)  # it must be whole
    _write(table, path, paths)
    say("wrote      {}".format(path))
    return path


def network_of(table: Table, path: pathlib.Path) -> Network:
    """The network that a table describes.

    Raises:
        BadNetwork: the table has a mistake.
    """
    values, files, mistakes = schema.read(table)
    if mistakes:
        raise BadNetwork("{}: {}".format(path, schema.sentence(mistakes[0])))
    return Network(path.stem, path, values, files)


def changed(table: Table, changes: Changes) -> Table:
    """A copy of a table with other values of some keys."""
    result = {k: dict(v) if isinstance(v, dict) else v for k, v in table.items()}
    for key, value in changes.items():
        section = next(s for s in ("input", "tracking", "head") if _has(s, key))
        result[section][key] = value
    return result


def _has(section: str, key: str) -> bool:
    if section == "head":
        return True  # the family's keys
    return key in schema.SECTIONS[section]


def _first(proposal: Proposal, say: Say) -> Table:
    """The first answer to every question, without a trial."""
    table = proposal.table
    for question, answers in proposal.alternatives.items():
        name, changes = next(iter(answers.items()))
        table = changed(table, changes)
        say(
            "{:<10} {} (not tried; name annotated clips with --clips to find it)".format(
                question, name
            )
        )
    return table


def _tried(
    proposal: Proposal,
    paths: "typing.Mapping[str, pathlib.Path]",
    clips: pathlib.Path,
    engine: str,
    say: Say,
) -> Table:
    """The answers with the best one-step overlap: all questions together, then each alone."""
    trial = Trial(paths, read_clips(clips, MANY), engine)
    questions = dict(proposal.alternatives)
    chosen = {question: next(iter(answers)) for question, answers in questions.items()}

    def measure(answers: "typing.Dict[str, str]", steps: int) -> np.ndarray:
        table = proposal.table
        for question, answer in answers.items():
            table = changed(table, questions[question][answer])
        return trial.overlaps(network_of(table, pathlib.Path("trial.toml")), steps)

    try:
        joint = [dict(chosen)]
        for question in ("colours", "crop", "maps", "score"):
            answers = list(questions.get(question, ()))
            if answers:
                joint = [dict(c, **{question: answer}) for c in joint for answer in answers]
        ranked = sorted(joint, key=lambda answers: -measure(answers, FEW).mean())[:KEPT]
        chosen = max(ranked, key=lambda answers: measure(answers, MANY).mean())
        for question, alternatives in questions.items():
            results = {a: measure(dict(chosen, **{question: a}), MANY) for a in alternatives}
            best = max(results.values(), key=lambda overlaps: float(overlaps.mean()))
            # the usual answer comes first, and stays unless another one is clearly better
            chosen[question] = next(a for a in results if _is_close(best, results[a]))
            _report(question, results, chosen[question], say)
    finally:
        trial.close()
    table = proposal.table
    for question, answer in chosen.items():
        table = changed(table, questions[question][answer])
    return table


def _is_close(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two settings can't be told apart by their overlaps in the same steps."""
    difference = first - second
    error = float(difference.std()) / max(1.0, math.sqrt(len(difference)))
    return bool(abs(difference.mean()) < max(CLOSE, 2 * error))


def _report(question: str, results: "typing.Dict[str, np.ndarray]", best: str, say: Say) -> None:
    """Say what was decided, with the overlap of each alternative."""
    say("{:<10} {} {:.3f}".format(question, best, results[best].mean()))
    for answer, overlaps in sorted(results.items(), key=lambda item: -float(item[1].mean())):
        if answer != best:
            close = ", can't be told apart" if _is_close(results[best], overlaps) else ""
            say("{:<10}   {} {:.3f}{}".format("", answer, overlaps.mean(), close))


def _write(table: Table, path: pathlib.Path, paths: "typing.Mapping[str, pathlib.Path]") -> None:
    """Write the TOML and copy the files beside it."""
    note = "Written by `python -m runtime.networks add`; [tracking] has its family's usual values."
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for source in paths.values():
            copy = path.parent / source.name
            if not copy.exists():
                shutil.copy(str(source), str(copy))
        path.write_text(toml.text(table, note), encoding="utf-8")
    except OSError as error:
        raise BadOutput(
            "can't write {}: {}; name another folder with --out".format(path, error.strerror)
        ) from None

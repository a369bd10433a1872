"""Write the TOML for a user's ONNX files, and report how each key was found."""

import os
import pathlib
import shutil
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Set

from onnx import TensorProto, numpy_helper

from hotpath.app.cli.networks.propose import (
    Proposal,
    Table,
    network_for,
    propose,
    usual_answers,
    usual_table,
)
from hotpath.base import cache, toml, toml_writer
from hotpath.graphs import models, picture_values, score_values
from hotpath.runtime.errors import BadNetwork, BadOutput
from hotpath.runtime.network import Network, sha256_of
from hotpath.runtime.networks import find_toml, load_network, names

LONGEST = 200  # letters of a name
PROGRAM = pathlib.Path(__file__).resolve().parents[4]  # the checkout, or the installed package
LEAST_WEIGHTS = 64  # of a tensor that tells a network from another one
MISMATCH = "warning    the files do not belong to one network, and may track badly: "

Say = Callable[[str], None]


def add(
    files: Sequence[pathlib.Path],
    name: str,
    folder: Optional[pathlib.Path] = None,
    like: Optional[str] = None,
    say: Say = print,
) -> pathlib.Path:
    """Write the TOML of a network.

    Args:
        files: its ONNX files.
        name: name of the TOML, without ``.toml``.
        folder: where the TOML and copies of the files go; None for that of the first file. No
            folder of this program is written to.
        like: name of a network, or a TOML, with the settings to take. None takes the usual ones.
        say: function of one line.

    Returns:
        the TOML's path.

    Raises:
        BadNetwork: the files have no known form.
        BadOutput: the TOML is there already, or can't be written.
    """
    if not 0 < len(name.encode()) <= LONGEST or os.sep in name:
        raise BadOutput(f"--name {name[:40]!r}: a name has 1 to {LONGEST} letters, none of them /")
    folder = folder or files[0].parent
    path = check_place(folder, name, "--name")
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise BadNetwork(f"{missing[0]} does not exist; name the ONNX files")
    proposal = propose(files)
    table = proposal.table
    parts = {entry["part"]: entry["name"] for entry in table["file"]}
    paths = {part: next(f for f in files if f.name == name) for part, name in parts.items()}
    say("parts      {}".format(", ".join("{} {}".format(*item) for item in parts.items())))
    say("family     {}".format(table["family"]))
    say("sides      {exemplar} and {search} px".format(**table["input"]))
    same = _has(like, paths) if like else _known(paths, say)
    like = like or same
    if like:
        original = toml.read(find_toml(like), BadNetwork)
        for section in ("input", "head", "tracking"):
            table[section] = dict(original.get(section, {}))
        table["family"] = original["family"]
        proposal = Proposal(table, {})
    table = usual_table(proposal)
    network = network_for(table, path)  # it must be whole
    odd = [picture_values.twice(file, network.mean, network.scale) for file in paths.values()]
    if any(odd):
        usual = picture_values.usual(paths)
        if usual is None:
            say("warning    " + "; ".join(filter(None, odd)))
        else:
            table["input"]["mean"], table["input"]["scale"] = ([each] * 3 for each in usual)
            say("normalise  the graph does it; mean {:g}, scale {:.6g} are written".format(*usual))
    if _set_score(table, network_for(table, path), paths, say):
        proposal.alternatives.pop("score", None)
    for entry in table["file"]:
        entry["sha256"] = sha256_of(paths[entry["part"]])
    for section in ("negatives", "point_prompt") if same else ():
        if section in original:
            table[section] = original[section]
    _write(table, path, paths, f"the settings of {like}" if like else "its family's usual values")
    answers = usual_answers(proposal)
    for question, answer in answers.items():
        say(f"{question:<10} {answer}, not tried")
    say(f"wrote      {path}")
    if answers:
        say(
            f"untried    `hotpath tune --network {path} --clips DIR --parameters "
            f"{','.join(answers)} --write` tries the alternatives on annotated clips"
        )
    return path


def _set_score(table: Table, network: Network, paths: Mapping[str, pathlib.Path], say: Say) -> bool:
    """Write ``score = "none"`` if the graph ends its scores with a Sigmoid itself."""
    kind = getattr(network, "score", "none")
    try:
        if kind == "none" or not score_values.are_probabilities(network, paths):
            return False
    except BadNetwork:  # `networks check` prints it, and so does each run
        return False
    if kind == "softmax":
        say("warning    " + score_values.advice(kind))
        return False
    table["head"]["score"] = "none"
    say('score      the graph has the sigmoid itself; "none" is written')
    return True


def check_place(folder: pathlib.Path, name: str, option: str) -> pathlib.Path:
    """Return the path of a new TOML.

    Raises:
        BadOutput: it is there already, or the folder is a part of this program.
    """
    if PROGRAM in (folder / name).resolve().parents:
        raise BadOutput(f"{folder} is a part of Hotpath itself; name a folder of yours with --out")
    path = folder / (name + ".toml")
    if path.exists():
        raise BadOutput(f"{path} exists already; choose another {option}")
    return path


def _known(paths: Mapping[str, pathlib.Path], say: Say) -> Optional[str]:
    """The network that comes with the runtime and has these very files; None if none has.

    Says where the files are of different ones.
    """
    owners: Dict[str, Set[str]] = {}
    for path in paths.values():
        digest = sha256_of(path)
        owners[path.name] = {n for n in names() if digest in _hashes(load_network(n))}
    common = sorted(set.intersection(*owners.values()))
    if common:
        say(f"known      these are the files of {common[0]}, whose settings are taken")
        return common[0]
    sentences = [f"{file} is of {min(shapes)}" for file, shapes in owners.items() if shapes]
    if len(sentences) > 1:
        say(f"{MISMATCH}{' and '.join(sentences)}")
    elif set(paths) == {"exemplar", "search"}:  # both hold the backbone
        exemplar, search = (_weights(path) for path in paths.values())
        if exemplar and search and not exemplar & search:
            say(f"{MISMATCH}{' and '.join(owners)} have no weights in common")
    return None


def _has(like: str, paths: Mapping[str, pathlib.Path]) -> Optional[str]:
    """Return ``like`` if that network has these very files: it decides as they do; else None."""
    digests = {sha256_of(path) for path in paths.values()}
    return like if digests <= set(_hashes(load_network(like))) else None


def _hashes(network: Network) -> List[Optional[str]]:
    return [entry.sha256 or entry.measured_sha256 for entry in network.files]


def _weights(path: pathlib.Path) -> Set[bytes]:
    """The float weights of a file; empty if it has INT8 weights, which differ by their scale."""
    weights = list(models.read(path).graph.initializer)
    if any(weight.data_type in (TensorProto.INT8, TensorProto.UINT8) for weight in weights):
        return set()
    arrays = [numpy_helper.to_array(weight) for weight in weights]
    return {array.tobytes() for array in arrays if array.size >= LEAST_WEIGHTS}


def _write(
    table: Table, path: pathlib.Path, paths: Mapping[str, pathlib.Path], settings: str
) -> None:
    """Write the TOML and copy the files beside it."""
    note = f"Written by `hotpath networks add`; [tracking] has {settings}."
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for source in paths.values():
            copy = path.parent / source.name
            if not copy.exists():
                shutil.copy(str(source), str(copy))
        cache.write_text(path, toml_writer.to_toml(table, note))
    except OSError as error:
        raise BadOutput(
            f"can't write {path}: {error.strerror}; name another folder with --out"
        ) from None

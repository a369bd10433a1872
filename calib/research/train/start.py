"""The weights that a stage begins with: of a checkpoint that is named, or of earlier stages."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from calib.errors import TrainingStopped
from calib.research.train import loop
from calib.research.train.network import Kestrel
from calib.research.train.stages import Standard
from calib.research.train.unfold import graphs_of, unfold
from runtime.networks import load_network

UNKNOWN = {"R": 0}  # the licences of a checkpoint without a log beside it, see sources.toml
UNSETTLED = "not settled: trained on research-only pictures, see calib/research/README.md"
FREE = "Apache-2.0: our training saw pictures of free licences alone, see calib/research/README.md"
FREE_CLASSES = {"A", "B"}  # of sources.toml


def licences_of(checkpoint: str | Path) -> dict[str, int]:
    """The licence classes of the pictures that a checkpoint or an export saw.

    Of a checkpoint the log beside it says so. Of an export only its TOML's licence is known.

    Returns:
        dict of a class -> how many pictures, 0 where that is not known; ``UNKNOWN`` if there is no
        log, or if the licence is not ``FREE``.
    """
    if Path(checkpoint).suffix == ".toml":
        free = load_network(checkpoint).licence.startswith(FREE.partition(",")[0])
        return dict.fromkeys(sorted(FREE_CLASSES), 0) if free else UNKNOWN
    log = Path(checkpoint).parent / "log.jsonl"
    seen: dict[str, int] = {}
    for line in log.read_text().splitlines() if log.is_file() else []:
        entry = json.loads(line)
        if entry.get("event") in ("pictures", "start"):
            for name, count in entry.get("licences", UNKNOWN).items():
                seen[name] = max(count, seen.get(name, 0))
    return seen or UNKNOWN


def licence_of(checkpoint: str | Path) -> str:
    """What the TOML says of the licence: free if the log of the run names free pictures alone."""
    return FREE if set(licences_of(checkpoint)) <= FREE_CLASSES else UNSETTLED


def load_start(
    name: str,
    network: Kestrel,
    path: str | Path,
    held: dict[str, np.ndarray],
    standard: Standard,
    networks_dir: str | None = None,
) -> str | None:
    """Load the weights that the first stage, ``name``, starts from.

    Of a checkpoint these are the averaged weights. An export is given by its TOML; ``unfold.py``
    makes it trainable by held-out pairs, and a sentence for the log is returned. The channels must
    be the same; stage backbone does not ask for the same head.
    """
    path = Path(path)
    if not path.is_file():
        raise TrainingStopped(f"{path} is not there; correct --start")
    if path.suffix == ".toml":
        unfold(network, graphs_of(load_network(path).locate(networks_dir)), held, standard)
        return f"{path} is an export; it was made trainable again"
    weights = dict(loop.load(path)["average"])
    if name == "backbone":  # with its own head
        weights = {key: value for key, value in weights.items() if not key.startswith("head.")}
        weights.update(network.head.state_dict(prefix="head."))
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise TrainingStopped(
            f"{path} is of another network ({str(error).splitlines()[-1].strip()}); correct "
            "--start, --shape or --head"
        ) from None
    return None


def load_earlier_stages(name: str, network: Kestrel, out: Path) -> None:
    """Load what earlier stages of this run have learnt."""

    def average(*stages: str) -> list[dict[str, Any]]:
        paths = [out / (stage + ".pt") for stage in stages]
        missing = [path for path in paths if not path.is_file()]
        if missing:
            named = " and ".join("stage " + stage for stage in stages)
            raise TrainingStopped(
                f"stage {name} starts from {named}, but {missing[0]} is not there; run that stage "
                "first"
            )
        return [loop.load(path)["average"] for path in paths]

    if name == "tune" or (name == "joint" and not (out / "tune.pt").is_file()):
        weights, head = average("backbone", "head")
        weights.update({key: value for key, value in head.items() if key.startswith("head.")})
    elif name in ("joint", "finish"):
        after_joint = name == "finish" and (out / "joint.pt").is_file()
        (weights,) = average("joint" if after_joint else "tune")
    else:
        return
    network.load_state_dict(weights)

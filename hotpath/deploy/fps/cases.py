"""List what is timed: networks x precisions x engines, with the files that each worker loads."""

import os
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

from hotpath.deploy.fps import Result
from hotpath.runtime import engines
from hotpath.runtime.choice import choose
from hotpath.runtime.engines.shared import precision
from hotpath.runtime.networks import bundle, load_network
from hotpath.runtime.options import Options

Request = Dict[str, Any]  # the first line of a worker's input


class SpeedCase(NamedTuple):
    """A network in one precision on one engine.

    Attributes:
        network: name or path of its TOML.
        precision, engine: names.
        threads: of the tracker.
        networks_dir: folder of the networks' files, or None.
    """

    network: str
    precision: str
    engine: str
    threads: int = 1
    networks_dir: Optional[str] = None


def open_case(case: SpeedCase, frames: str, box: Sequence[float]) -> Tuple[Result, Request]:
    """Return a case's result without rounds, and what its workers are asked for.

    Args:
        case: what is timed.
        frames: path of the film's frames, a .npy.
        box: (x, y, w, h) in the first frame, pixels.
    """
    network = load_network(case.network)
    request: Request = {"threads": case.threads, "frames": frames, "box": list(box)}
    if case.engine != engines.AUTO and not engines.find(case.engine).runs_files:
        identity = bundle.network_entry(
            network
        )  # a board may have a bundle without the network's files
        asked = Options(case.network, engine=case.engine, precision=case.precision)
        made: Any = choose(asked).bundle  # such an engine runs nothing else
        request["load"] = {"bundle": os.path.abspath(str(made.folder)), "threads": case.threads}
    else:
        form = precision.int8_form(network) if case.precision == "int8" else None
        files = (form or network).locate(case.networks_dir)
        identity = bundle.network_entry(form or network, files)
        alone = [os.path.abspath(str(files[part])) for part in files if part != "exemplar"]
        request["alone"] = max(alone, key=os.path.getsize)
        is_file = case.network.endswith(".toml")
        request["load"] = {
            "network": os.path.abspath(case.network) if is_file else case.network,
            "engine": case.engine,
            "precision": case.precision,
            "threads": case.threads,
            "networks_dir": os.path.abspath(case.networks_dir) if case.networks_dir else None,
        }
    result = {
        "network": network.name,
        "network_sha256": identity["sha256"],
        "precision": case.precision,
        "engine": {"engine": case.engine},
        "kernels": "unknown",
        "threads": case.threads,
        "boxes": [],
        "rounds": [],
    }
    return result, request

"""The table of ranges of one network: the JSON from which every INT8 form is made.

```
{"format": 1, "network": "nanotrack_v2", "files": {"backbone": sha256, ...},
 "method": "percentile", "keep": ["head/..."], "last": [...],
 "clips": [{"name", "sha256", "exemplars", "searches"}],
 "tensors": {"exemplar": {NAME: {"range": [low, high], "all": {"minmax": [low, high], ...}}},
             "search": {...}}, "libraries": {...}}
```
Tensor names are those of ``hotpath.graphs.assemble``, which every engine builds
from. Ranges have ``DIGITS`` digits, so that a reduced table (``trim_table``) gives the same INT8
form.
"""

import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from hotpath.base import cache
from hotpath.base.messages import error_text
from hotpath.graphs.errors import BadRangeTable
from hotpath.runtime.network import Network

Table = Dict[str, Any]  # of ranges
FORMAT = 1
DIGITS = 5


def file_hashes(network: Network, networks_dir: Optional[str]) -> Dict[str, str]:
    """dict of part -> sha256 of a network's ONNX files."""
    return network.hashes(networks_dir)


def write(table: Table, path: Path) -> None:
    """Write a table, completely or not at all."""
    cache.write_text(path, json.dumps(table, indent=1))


def read(
    path: Union[str, Path], network: Optional[Network] = None, networks_dir: Optional[str] = None
) -> Table:
    """Read a table.

    Args:
        path: path of the JSON.
        network: the ``Network`` that it must belong to, or None for any.

    Raises:
        BadTable: no such file, no table, or another network's.
    """
    try:
        with open(path) as file:
            table = json.load(file)
    except (OSError, ValueError) as error:
        raise BadRangeTable(
            f"{path} can't be read as a table of ranges: {error_text(error)}; make one "
            "with `hotpath int8`",
            what="not read",
        ) from None
    if not isinstance(table, dict) or table.get("format") != FORMAT or "tensors" not in table:
        raise BadRangeTable(
            f"{path} is not a table of ranges of this version; make one with `hotpath int8`",
            what="other version",
        )
    if network is not None and table["files"] != file_hashes(network, networks_dir):
        measured, own = table["network"], network.name
        if measured == own:
            measured = measured + " with other files"
            own = "these"
        raise BadRangeTable(
            f"{path} was measured on {measured}, not on {own}; calibrate {network.name} again",
            what="other files",
        )
    return table


def round_range(span: Sequence[float]) -> List[float]:
    """A range (low, high) as the table holds it: a list of two floats of ``DIGITS`` digits."""
    return [float("{:.{}g}".format(end, DIGITS)) for end in span]


def trim_table(table: Table) -> Table:
    """Return the table with only the chosen range of each tensor, as it ships with a network."""
    tensors = {
        part: {name: {"range": round_range(entry["range"])} for name, entry in entries.items()}
        for part, entries in table["tensors"].items()
    }
    return dict(table, tensors=tensors)


def ranges(table: Table, part: str, method: Optional[str] = None) -> Dict[str, Tuple[float, float]]:
    """dict of tensor -> (low, high) of a part: the chosen ones, or those of a method."""
    entries = table["tensors"][part]
    if method is None:
        return {name: tuple(entry["range"]) for name, entry in entries.items()}
    return {name: tuple(entry["all"][method]) for name, entry in entries.items()}


def amax(table: Table) -> Dict[str, float]:
    """dict of tensor -> greatest magnitude, over both parts."""
    largest = {}  # type: Dict[str, float]
    for part in table["tensors"]:
        for name, (low, high) in ranges(table, part).items():
            largest[name] = max(largest.get(name, 0.0), -low, high)
    return largest

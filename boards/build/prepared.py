"""The prepared folder: what a board needs to go on with a TensorRT build.

It holds ONNX models in up to four forms (whole or cut at the correlations; float32, or float16 for
TensorRT 11), the network's TOML, and ``prepared.json``. The board needs only TensorRT to go on.
"""

import hashlib
import json
import pathlib
import shutil
from typing import Any, Callable, Dict, Optional

from boards.build.order import Order
from boards.build.writer import Writer
from boards.errors import BuildFailed
from runtime import bundle
from runtime.networks import sha256_of

FORMAT = 2
FILE = "prepared.json"
SHIPPED = pathlib.Path(__file__).resolve().parent / "shipped"


def write(
    folder: pathlib.Path, values: Dict[str, Any], put: Callable[[pathlib.Path], Dict[str, Any]]
) -> None:
    """Write a prepared folder, whole or not at all.

    Args:
        folder: an existing one is replaced.
        values: of ``prepared.json``, without forms, files and sha256.
        put: function of a folder that writes the files into it and returns the forms.
    """
    with Writer(folder) as writer:
        values = dict(values, format=FORMAT, forms=put(writer.folder))
        values["files"] = {p.name: sha256_of(p) for p in sorted(writer.folder.iterdir())}
        values["sha256"] = _digest(values)
        (writer.folder / FILE).write_text(json.dumps(values, indent=1, sort_keys=True) + "\n")
        writer.replace()


def read(folder: pathlib.Path) -> Dict[str, Any]:
    """Read ``prepared.json`` and check the folder's files.

    Raises:
        BuildFailed: there is no prepared folder, or one of its files was altered.
    """
    try:
        with open(str(folder / FILE)) as file:
            values: Dict[str, Any] = json.load(file)
        own = values.pop("sha256")
        wrong = [] if own == _digest(values) else [FILE]
        wrong += [n for n, h in values["files"].items() if sha256_of(folder / n) != h]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildFailed(
            f"{folder} is no prepared folder ({error}); make one with `make engine BOARD=… "
            "NETWORK=…` on a "
            "computer"
        ) from None
    if wrong or values.get("format") != FORMAT:
        what = "another version of this program made it"
        if wrong:
            what = f"{folder / wrong[0]} was altered"
        raise BuildFailed(f"{folder} can't be used: {what}; copy it again")
    return values


def is_current(folder: pathlib.Path, order: Order) -> bool:
    """Whether a prepared folder is there for that network, board, precision and DLA core."""
    try:
        values = read(folder)
    except BuildFailed:
        return False
    built = values["network"]["files"]
    wanted = bundle.identity(order.network)["files"]
    same = all(built.get(part) == sha for part, sha in wanted.items() if sha is not None)
    asked = {key: value for key, value in for_board(order).items() if key != "memory_gb"}
    if not same or any(values.get(key) != value for key, value in asked.items()):
        return False
    table = order.table() if values["scales"] else None
    if table is None:
        return True
    return table.is_file() and values["calibration_sha256"] == sha256_of(table)


def shipped(network: Any) -> Optional[pathlib.Path]:
    """Return the folder in which a network comes prepared with this program, or None.

    ``python -m boards.build.ship NETWORK`` makes it.
    """
    folder = SHIPPED / str(network.name)
    if not (folder / FILE).is_file():
        return None
    return folder if read(folder)["network"] == bundle.identity(network) else None


def from_shipped(source: pathlib.Path, folder: pathlib.Path, order: Order) -> None:
    """Prepare a board's folder out of a shipped one. This needs no onnx.

    Raises:
        BuildFailed: INT8, whose scales are not shipped.
    """
    values = read(source)
    if order.precision == "int8" and not values["quantised"]:
        raise BuildFailed(
            f"INT8 can't be prepared without onnx; on a computer run `{order.command()} "
            "HOST=user@this-board`"
        )

    def put(place: pathlib.Path) -> Dict[str, Any]:
        for name in values["files"]:
            shutil.copy(str(source / name), str(place / name))
        # the tracker's numbers may have been tuned since
        shutil.copy(str(order.network.path), str(place / (order.network.name + ".toml")))
        forms: Dict[str, Any] = values["forms"]
        return forms

    write(folder, dict(values, **for_board(order)), put)


def for_board(order: Order) -> Dict[str, Any]:
    """Return the values of ``prepared.json`` that depend on the board and on the order."""
    size = order.board.memory["size_gb"]
    least = min(size.values()) if isinstance(size, dict) else size
    return {
        "board": order.board.name,
        "precision": order.precision,
        "dla": order.dla,
        "half_tensors": order.half_tensors,
        "windows": order.windows,
        "memory_gb": float(least or 4),
    }


def _digest(values: Dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

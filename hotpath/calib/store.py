"""Keep the results of a long calibration on disk, so that nothing is computed twice."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hotpath.base import cache
from hotpath.base.commands import reason
from hotpath.calib.errors import BadRun


class Store:
    """Stores values in a folder under a hash of everything that they depend on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def value(self, name: str, depends: Any, compute: Callable[[], Any]) -> Any:
        """Return a number, or dicts and tuples of arrays and numbers; ``compute`` is called once.

        Raises:
            BadRun: the kept file is damaged, or holds anything else.
        """
        path = self.folder / (_key(name, depends) + ".npz")
        if path.is_file():
            return _read(path)
        value = compute()
        arrays: list[np.ndarray] = []
        tree = json.dumps(_parted(value, arrays))
        file = io.BytesIO()
        np.savez(file, np.array(tree), *arrays, allow_pickle=False)
        cache.write(str(path), file.getvalue())
        return value


def _read(path: Path) -> Any:
    try:
        with np.load(path, allow_pickle=False) as file:
            tree, *arrays = (file[f"arr_{number}"] for number in range(len(file.files)))
        return _joined(json.loads(str(tree)), arrays)
    except (OSError, ValueError, KeyError, IndexError, TypeError, zipfile.BadZipFile) as error:
        raise BadRun(
            f"{path} can't be read ({reason(error)}); delete it and run again", what="not read"
        ) from None


def _parted(value: object, arrays: list[np.ndarray]) -> Any:
    """A value as JSON can hold it; its arrays are appended to a list."""
    if isinstance(value, dict):
        return {"dict": [[key, _parted(item, arrays)] for key, item in value.items()]}
    if isinstance(value, (tuple, list)):
        return {"tuple": [_parted(item, arrays) for item in value]}
    if isinstance(value, (np.ndarray, np.generic)):
        arrays.append(np.asarray(value))
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {kind: len(arrays) - 1}
    return value


def _joined(tree: Any, arrays: list[np.ndarray]) -> Any:
    """Undo ``_parted``. A list comes back as a tuple."""
    if not isinstance(tree, dict):
        return tree
    ((kind, inside),) = tree.items()
    if kind == "dict":
        return {key: _joined(item, arrays) for key, item in inside}
    if kind == "tuple":
        return tuple(_joined(item, arrays) for item in inside)
    return arrays[inside] if kind == "array" else arrays[inside][()]


def _key(name: str, depends: Any) -> str:
    text = json.dumps([name, depends], sort_keys=True, default=str)
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"

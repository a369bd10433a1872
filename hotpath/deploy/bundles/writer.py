"""Write a bundle's folder (see ``hotpath.runtime.networks.bundle``) completely or not at all."""

import json
import os
import pathlib
import shutil
import tempfile
from typing import Optional, Union

from hotpath.base.messages import error_text
from hotpath.runtime.networks import load_network, sha256_of
from hotpath.runtime.networks.bundle import FILE, FORMAT, BadBundle, Bundle, Table, entries_sha256

# What a bundle.json says where its builder says nothing.
DEFAULTS: Table = {
    "compute_capability": None,
    "calibration_sha256": None,
    "settings": {},
}


class BundleWriter:
    """Writes a bundle into a temporary folder beside its place, and moves it there at the end.

    Use it with ``with``: write the parts into ``writer.folder``, then call ``finish``.

    Args:
        folder: where the bundle goes; an existing one is replaced.

    Raises:
        BadBundle: the folder can't be written.
    """

    def __init__(self, folder: Union[str, pathlib.Path]) -> None:
        self.target = pathlib.Path(str(folder))
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            name = f".{self.target.name}."
            self.folder = pathlib.Path(tempfile.mkdtemp(prefix=name, dir=str(self.target.parent)))
        except OSError as error:
            raise BadBundle(
                f"can't write below {self.target.parent}: {error.strerror or error}; make room "
                "there, or name another folder with --out",
                what="not written",
            ) from None

    def __enter__(self) -> "BundleWriter":
        return self

    def __exit__(self, kind: Optional[type], error: Optional[BaseException], *_: object) -> None:
        shutil.rmtree(str(self.folder), ignore_errors=True)
        if isinstance(error, OSError):  # a full disk, or a folder that was removed
            raise BadBundle(
                f"{self.target} can't be written ({error_text(error)}) and was not changed; make "
                "room there, or name another folder with --out"
            ) from None

    def finish(self, values: Table, toml: Optional[pathlib.Path] = None) -> Bundle:
        """Write ``bundle.json`` for the parts in the folder, and move the folder to its place.

        Args:
            values: keys of ``bundle.json`` except format and parts; ``DEFAULTS`` has the others.
            toml: path of the network's TOML, which becomes a part; None if it is one already.
        """
        if toml is not None:
            copy_toml(toml, self.folder / (values["network"]["name"] + ".toml"))
        parts = {
            path.name: {"sha256": sha256_of(path), "bytes": path.stat().st_size}
            for path in sorted(self.folder.iterdir())
            if path.name != FILE
        }
        values = dict(DEFAULTS, **dict(values, format=FORMAT, parts=parts))
        values["sha256"] = entries_sha256(json.loads(json.dumps(values)))
        (self.folder / FILE).write_text(json.dumps(values, indent=1, sort_keys=True) + "\n")
        return self.put_in_place()

    def put_in_place(self) -> Bundle:
        """Check the folder, which already holds ``bundle.json``, and move it to its place.

        Raises:
            BadBundle: a part is missing or altered.
        """
        Bundle(self.folder).check_parts()
        self.replace()
        return Bundle(self.target)

    def replace(self) -> None:
        """Move the folder to its place without a check."""
        os.chmod(str(self.folder), 0o755)  # mkdtemp lets only its owner in
        old = self.target.with_name(f".{self.target.name}.old")
        shutil.rmtree(str(old), ignore_errors=True)
        if self.target.exists():
            os.rename(str(self.target), str(old))
        os.rename(str(self.folder), str(self.target))
        shutil.rmtree(str(old), ignore_errors=True)


def copy_toml(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copy a network's TOML, and the made files that it names beside it."""
    made = load_network(source)
    for entry in filter(None, (made.negatives, made.point_prompt)):
        shutil.copy(str(made.locate_made(entry)), str(target.with_name(entry.name)))
    shutil.copy(str(source), str(target))

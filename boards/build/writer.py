"""Writes a bundle's folder (see ``runtime.bundle``): whole, or not at all."""

import json
import os
import pathlib
import shutil
import tempfile

from runtime.bundle import FILE, FORMAT, BadBundle, Bundle
from runtime.networks import sha256_of


class Writer:
    """Writes a bundle: into a folder beside it first, so that there is a whole one or none.

    Args:
        folder: where the bundle goes; one that is there is replaced.

    Use it with ``with``: put parts into ``writer.folder``, then call ``finish``.

    Raises:
        BadBundle: the folder can't be written.
    """

    def __init__(self, folder):
        self.target = pathlib.Path(str(folder))
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            name = ".{}.".format(self.target.name)
            self.folder = pathlib.Path(tempfile.mkdtemp(prefix=name, dir=str(self.target.parent)))
        except OSError as error:
            raise BadBundle(
                "can't write below {}: {}; make room there or name another folder with "
                "--out".format(self.target.parent, error.strerror or error)
            ) from None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, *_):
        shutil.rmtree(str(self.folder), ignore_errors=True)
        if isinstance(error, OSError):  # a full disk, a folder that was taken away
            raise BadBundle(
                "{} can't be written ({}), and is as it was before; make room there or name "
                "another folder with --out".format(self.target, error)
            ) from None

    def finish(self, values):
        """Write ``bundle.json`` for the parts in the folder, and put the folder in its place.

        Args:
            values: dict of ``KEYS`` but format and parts.

        Returns:
            The ``Bundle``.
        """
        parts = {
            path.name: {"sha256": sha256_of(path), "bytes": path.stat().st_size}
            for path in sorted(self.folder.iterdir())
            if path.name != FILE
        }
        values = dict(values, format=FORMAT, parts=parts)
        (self.folder / FILE).write_text(json.dumps(values, indent=1, sort_keys=True) + "\n")
        return self.put_in_place()

    def put_in_place(self):
        """Put the folder, which has its ``bundle.json``, in its place.

        Raises:
            BadBundle: it is not whole.
        """
        Bundle(self.folder).check_parts()
        self.replace()
        return Bundle(self.target)

    def replace(self):
        """Put the folder in its place, whatever is in it."""
        os.chmod(str(self.folder), 0o755)  # mkdtemp makes it for its owner alone
        old = self.target.with_name(".{}.old".format(self.target.name))
        shutil.rmtree(str(old), ignore_errors=True)
        if self.target.exists():
            os.rename(str(self.target), str(old))
        os.rename(str(self.folder), str(self.target))
        shutil.rmtree(str(old), ignore_errors=True)

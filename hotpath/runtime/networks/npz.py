"""Read NumPy archives (``.npz``) from others, within a limit of bytes and arrays."""

import os
import zipfile
import zlib
from typing import Dict

import numpy as np

MOST_BYTES = 1 << 25  # of the file, and of all its arrays
MOST_ARRAYS = 32
ERRORS = (OSError, EOFError, ValueError, KeyError, NotImplementedError, RuntimeError)
ERRORS += (zipfile.BadZipFile, zlib.error, MemoryError)  # type: ignore[assignment]


def read(path: str) -> Dict[str, np.ndarray]:
    """Return dict of name -> array.

    All sizes are checked before anything is unpacked.

    Raises:
        ValueError: the file is damaged, or over the budget; the text says why.
        OSError: it can't be opened.
    """
    if os.path.getsize(path) > MOST_BYTES:
        raise ValueError(f"it has over {MOST_BYTES} bytes")
    try:
        with zipfile.ZipFile(path) as file:
            entries = file.infolist()
            if len(entries) > MOST_ARRAYS or sum(e.file_size for e in entries) > MOST_BYTES:
                raise ValueError(f"it unpacks to over {MOST_BYTES} bytes or {MOST_ARRAYS} arrays")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except ERRORS as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(str(error) or type(error).__name__) from None

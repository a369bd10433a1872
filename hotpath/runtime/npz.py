"""Read files of NumPy (``.npz``) that others made, within a budget."""

import io
import os
import struct
import zipfile
import zlib
from typing import Dict

import numpy as np

MOST_BYTES = 1 << 25  # of the file, and of all its arrays
MOST_ARRAYS = 32
HEADER_BYTES = 4096  # of an array: its type and shape
MAGIC = b"\x93NUMPY\x01\x00"  # as savez writes it
ERRORS = (OSError, EOFError, ValueError, KeyError, IndexError, NotImplementedError, RuntimeError)
ERRORS += (zipfile.BadZipFile, zlib.error, MemoryError, struct.error)  # type: ignore[assignment]


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
            return {entry.filename[: -len(".npy")]: _array(file, entry) for entry in entries}
    except ERRORS as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(str(error) or type(error).__name__) from None


def _array(file: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    """One array, whose shape must be that of its bytes."""
    with file.open(entry) as part:
        data = part.read(entry.file_size)
    length = int(struct.unpack("<H", data[8:10])[0])
    if not data.startswith(MAGIC) or length > HEADER_BYTES:
        raise ValueError(f"{entry.filename} is not an array as savez writes it")
    stream = io.BytesIO(data[8 : 10 + length])
    shape, is_fortran, kind = np.lib.format.read_array_header_1_0(stream)
    if kind.hasobject or is_fortran:
        raise ValueError(f"{entry.filename} holds Python objects, or columns first")
    return np.frombuffer(data, kind, offset=10 + length).reshape(shape)

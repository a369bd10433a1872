"""Read the boxes that authors of other trackers publish: one folder or ZIP file a tracker.

| layout            | files                                                                  |
|-------------------|------------------------------------------------------------------------|
| OTB               | ``NAME.txt``; ``NAME_TRACKER.mat`` (``results{1}.res``); ``NAME.json``     |
| GOT-10k, VOT      | ``NAME/NAME_001.txt``                                                  |
| pysot             | ``NAME.txt``                                                           |

Names are compared without case, and ``_``, ``-`` and ``.`` count as equal.
"""

import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from hotpath.calib.command import say
from hotpath.calib.errors import Missing
from hotpath.runtime.errors import BadClips
from hotpath.runtime.track.video.clips import Clip

Boxes = dict[str, np.ndarray]  # a clip's name -> (frames, 4)
MOST_EXTRA = 20  # rows after the last frame
KINDS = (".txt", ".mat", ".json")
UNREADABLE = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError)


def read(folder: Path, clips: Sequence[Clip], names: Iterable[str]) -> dict[str, Boxes]:
    """Return a dict of tracker -> its boxes on the clips, 0-based pixels of the frame.

    A file is left out if it can't be read, or if its rows and the clip's frames differ in number.
    One sentence names the files of a tracker that are left out.

    ``names`` has all sequences of the data set, so that ``car1_s`` does not match ``car1``.

    Raises:
        BadClips: it is no folder, or none of its trackers has boxes of a clip.
    """
    if not folder.is_dir():
        raise BadClips(f"--published {folder} is not a folder; it holds a folder or ZIP a tracker")
    known = {_plain(name): name for name in names}
    wanted = {clip.name: clip for clip in clips}
    found, without = {}, []
    for entry in sorted(folder.iterdir()):
        boxes: Boxes = {}
        folders: dict[str, PurePosixPath] = {}  # in which a sequence's file lies
        left_out = []
        try:
            for path, content in _files(entry):
                name = _sequence(path, known)
                if name not in wanted:
                    continue
                if folders.setdefault(name, path.parent) != path.parent:
                    left_out.append(f"{path} (a second {name}; give each tracker its own folder)")
                elif name not in boxes:
                    try:
                        boxes[name] = fitted(_rows(path, content), wanted[name])
                    except BadClips as error:
                        left_out.append(f"{name} ({error})")
        except UNREADABLE as error:
            left_out.append(f"the rest: it can't be read ({error}); fetch it again")
        if left_out:
            say(f"{entry.name}: left out {', '.join(left_out)}")
        elif not boxes:
            without.append(entry.name)
        if boxes:
            found[entry.name.removesuffix(".zip")] = boxes
    if not found:
        raise BadClips(f"no tracker of {folder} has boxes of these {len(clips)} sequences")
    if without:
        say(f"no boxes of these {len(clips)} sequences: {', '.join(without)}")
    return found


def fitted(rows: np.ndarray, clip: Clip) -> np.ndarray:
    """Fit published rows to the frames of a clip, and convert 1-based pixels to 0-based.

    Rows may begin at the first picture of a longer sequence, and go on for up to ``MOST_EXTRA``
    rows after the last frame. If the last frame has no row, the last box is repeated.

    Raises:
        BadClips: the number of rows does not fit.
    """
    count, skipped = len(clip), clip.first_number - 1
    if len(rows) == count + skipped:
        rows = rows[skipped:]
    if len(rows) == count - 1:
        rows = np.concatenate([rows, rows[-1:]])
    if not count <= len(rows) <= count + MOST_EXTRA:
        raise BadClips(f"{len(rows)} rows for {count} frames")
    rows = np.nan_to_num(rows[:count])
    rows[0] = clip.boxes[0] + (1, 1, 0, 0)  # some write a marker there
    return rows - (1, 1, 0, 0)


def _files(entry: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    if entry.is_dir():
        for path in sorted(entry.rglob("*")):
            if path.suffix.lower() in KINDS:
                yield PurePosixPath(path.relative_to(entry).as_posix()), path.read_bytes()
    elif entry.suffix == ".zip":
        with zipfile.ZipFile(entry) as packed:
            for name in sorted(packed.namelist()):
                if name.lower().endswith(KINDS) and not name.startswith("__MACOSX"):
                    yield PurePosixPath(name.replace("\\", "/")), packed.read(name)


def _plain(name: str) -> str:
    return re.sub(r"[-. ]", "_", name.lower())


def _sequence(path: PurePosixPath, known: Mapping[str, str]) -> str | None:
    """The sequence of a file: the longest name that its name begins with."""
    stem = _plain(path.stem)
    while stem and stem not in known:
        if stem.endswith(("_time", "_confidence")):
            return None
        stem = stem.rpartition("_")[0]
    return known.get(stem)


def _rows(path: PurePosixPath, content: bytes) -> np.ndarray:
    """(n, 4) boxes of a result file.

    Raises:
        BadClips: it can't be read, or its rows are no boxes.
    """
    try:
        if path.suffix.lower() == ".mat":
            rows = _of_matlab(content)
        elif path.suffix.lower() == ".json":
            rows = np.array(json.loads(content)[0]["res"], float)
        else:
            lines = [line.strip() for line in content.decode("utf-8-sig").splitlines()]
            told = [list(map(float, re.split(r"[,;\s]+", line))) for line in lines if line]
            if {len(row) for row in told} - {1, 4}:
                raise ValueError("a line is not x, y, w, h")
            # VOT marks a start and a failure by one number
            rows = np.array([row if len(row) > 1 else [np.nan] * 4 for row in told])
    except (TypeError, KeyError, IndexError):
        raise BadClips("can't be read: it holds no results with res") from None
    except ValueError as error:
        raise BadClips(f"can't be read: {error}") from None
    if rows.ndim != 2 or rows.shape[1] != 4:
        raise BadClips("has no rows of x, y, w, h")
    return rows


def _of_matlab(content: bytes) -> np.ndarray:
    try:
        import scipy.io
    except ImportError:
        raise Missing("results in .mat files need SciPy; run `pip install scipy`") from None
    try:
        told = scipy.io.loadmat(io.BytesIO(content))
    except Exception as error:  # a damaged file raises errors of many kinds
        raise BadClips(f"can't be read: {error}") from None
    value = told["results" if "results" in told else "res"]
    while value.dtype == object and value.size:  # results is a cell of a struct
        value = value.flat[0]
    if value.dtype.names:
        value = value["res"].flat[0]
    return np.asarray(value, float)

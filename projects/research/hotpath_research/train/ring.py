"""Fresh pairs for the training: processes that draw pairs, run the teacher and fill a ring.

The ring is a few thousand pairs in mapped files. Pair number i always lies in slot i modulo the
size, and it depends only on the seed and i. The writers go round. They wait until the training has
used each pair as often as it should on average; the training never waits for them. A slot may be
overwritten while it is read, which spoils one pair in many thousands.
"""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from hotpath_research.train.bank import Bank
from hotpath_research.train.films import Films
from hotpath_research.train.geometry import (
    CELLS,
    EXEMPLAR,
    EXEMPLAR_CELLS,
    SEARCH,
    maps_of,
)
from hotpath_research.train.pairs import CLIP, Drawer
from hotpath_research.train.teacher import Teacher


def layout(channels: int) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Name -> (shape, dtype) of what a pair holds."""
    return {
        "exemplar": ((EXEMPLAR, EXEMPLAR, 3), np.uint8),
        "search": ((SEARCH, SEARCH, 3), np.uint8),
        "kind": ((), np.int8),
        "exemplar_features": ((channels, EXEMPLAR_CELLS, EXEMPLAR_CELLS), np.float16),
        "search_features": ((channels, CELLS, CELLS), np.float16),
        "probability": ((CELLS, CELLS), np.float16),
        "size": ((2, CELLS, CELLS), np.float16),
        "offset": ((2, CELLS, CELLS), np.float16),
    }


def held_layout(channels: int) -> dict[str, tuple[tuple[int, ...], Any]]:
    """The same of a pair that is held out."""
    fields = layout(channels)
    return {**fields, "clear_exemplar": fields["exemplar"], "clear_search": fields["search"]}


class Ring:
    """The mapped files; ``used`` is how many pairs the training has taken.

    ``boxes`` says whether they have the boxes of annotated clips, see ``learnt_pair``.
    """

    def __init__(self, folder: str | Path, size: int, channels: int, boxes: bool = False) -> None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.size = size
        about = json.dumps([size, channels, list(layout(channels)), *["boxes"] * boxes])
        fresh = not (folder / "about").is_file() or (folder / "about").read_text() != about
        mode: Literal["w+", "r+"] = "w+" if fresh else "r+"
        self.fields = {
            name: np.memmap(folder / (name + ".bin"), dtype, mode, shape=(size,) + shape)
            for name, (shape, dtype) in layout(channels).items()
        }
        self.stamps = np.memmap(folder / "stamps.bin", np.int64, mode, shape=(size,))
        self._used = np.memmap(folder / "used.bin", np.int64, mode, shape=(1,))
        (folder / "about").write_text(about)

    @property
    def used(self) -> int:
        return int(self._used[0])

    @used.setter
    def used(self, pairs: int) -> None:
        self._used[0] = pairs

    def put(self, number: int, pair: dict[str, Any]) -> None:
        slot = number % self.size
        self.stamps[slot] = 0
        for name, value in pair.items():
            self.fields[name][slot] = value
        self.stamps[slot] = number + 1

    def filled(self) -> int:
        return int(np.count_nonzero(self.stamps.copy()))

    def take(self, slots: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Copy some fields of these slots, and count the pairs as used."""
        self.used += len(slots)
        slots = np.sort(slots)
        return {name: self.fields[name][slots] for name in names}


def learnt_pair(drawer: Drawer, teacher: Teacher, seed: int, number: int) -> dict[str, Any]:
    """Pair ``number`` with the teacher's features and maps, as a dict of the ring's fields.

    The teacher sees both crops without the camera's losses. A pair that is held out (``number``
    below 0) has these crops, too.
    """
    rng = np.random.default_rng([seed, abs(number), number < 0])
    pair = drawer.pair(rng)
    learnt: dict[str, Any] = teacher.learn(pair.clear_exemplar, pair.clear_search)._asdict()
    if drawer.boxes and pair.kind == CLIP:
        learnt.update(maps_of(pair.box))
    if number < 0:
        learnt.update(clear_exemplar=pair.clear_exemplar, clear_search=pair.clear_search)
    return {"exemplar": pair.exemplar, "search": pair.search, "kind": pair.kind, **learnt}


def write_pairs(job: dict[str, Any], worker: int) -> None:
    """Draw pairs until the parent process ends, or ends this one; the body of one process.

    A pair that was not finished leaves an empty slot, which the next run fills first.
    """
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it, too, and ends this one
    teacher = Teacher(job["teacher"], job["networks_dir"])
    drawer = Drawer(Bank(job["bank"]), Films(Path(job["bank"]) / "films.npz"), boxes=job["boxes"])
    ring = Ring(job["ring"], job["size"], teacher.channels, job["boxes"])
    mine = ring.stamps[worker :: job["workers"]]
    number = max(int(mine.max()), 0)
    number += (worker - number) % job["workers"]
    while os.getppid() == job["parent"]:
        is_filled = ring.stamps[number % ring.size]
        if is_filled and number >= ring.used / job["reuse"] + job["size"]:
            time.sleep(0.05)
            continue
        ring.put(number, learnt_pair(drawer, teacher, job["seed"], number))
        number += job["workers"]


def start_writers(job: dict[str, Any]) -> list[Any]:
    """Start ``job["workers"]`` processes, which end with this one."""
    context = multiprocessing.get_context("spawn")
    job = dict(job, parent=os.getpid())
    processes = [
        context.Process(target=write_pairs, args=(job, worker), daemon=True)
        for worker in range(job["workers"])
    ]
    for process in processes:
        process.start()
    return processes


def stop_writers(processes: Sequence[Any]) -> None:
    """End the processes."""
    for process in processes:
        process.kill()
        process.join()

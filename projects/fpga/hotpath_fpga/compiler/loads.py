"""The places of weights and parameters in the engine's memories, and the times of their loads.

A load comes at least one layer before its own layer, so that it runs in parallel to that layer's
work. Loads wait until the crop has ended, because the first layers wait for the frame's lines and
loads would take their share of the memory's time.
"""

from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

from hotpath.kernels.fpga import tables
from hotpath_fpga.compiler import timing
from hotpath_fpga.compiler.arena import Arena
from hotpath_fpga.compiler.layers import CannotCompile
from hotpath_fpga.compiler.tasks import TILE, WORD, Command, Data, Task
from hotpath_fpga.model import PARAMS_BYTES, PARAMS_ENTRIES

Ahead = Dict[int, List[Command]]  # number of a task -> loads before it

AHEAD = 6  # layers that a load may stand before its own


def load(target: str, region: int, offset: int, count: int, beat: int = 0) -> Command:
    """The command that loads bytes of a region."""
    fields = {"target": tables.TARGETS[target], "region": region, "offset": offset}
    return "LOAD", dict(fields, bytes=count, beat=beat), "load"


def load_data(data: Data, target: str, content: bytes, beat: int = 0) -> Command:
    """The command that loads bytes which are put into region 0."""
    count = -(-len(content) // WORD) * WORD
    return load(target, tables.REGIONS["BUNDLE"], data.add(content), count, beat)


class Loads:
    """Finds the places of a program's weights and parameters.

    Args:
        tasks: of the program, in order; their ``Weights`` and ``Params`` are given their places.
    """

    def __init__(self, tasks: Sequence[Task], size: tables.Size, data: Data) -> None:
        self._tasks, self._size, self._data = tasks, size, data
        crops = [number for number, task in enumerate(tasks) if task.name == "CROP"]
        self._crops = len(crops)
        # the first task behind the last strip's crop; 0 where nothing is held back
        self._behind = crops[-1] + 1 if len(crops) > 1 else 0
        self._ahead: Ahead = {}

    def ahead(self) -> Ahead:
        """Assign all places; returns the loads that stand before each task."""
        weights = self._uses("weights")
        if not self._in_time(weights):
            self._behind = 0
        self._place_params(self._uses("params"))
        self._place_weights(weights)
        return self._ahead

    def _uses(self, attribute: str) -> List[Any]:
        """Things that tasks share, as list of [thing, first task, last task]."""
        uses: Dict[int, List[Any]] = {}
        for number, task in enumerate(self._tasks):
            thing = getattr(task, attribute)
            if thing is not None:
                entry = uses.setdefault(id(thing), [thing, number, number])
                entry[2] = number
        return list(uses.values())

    def _in_time(self, weights: Sequence[Any]) -> bool:
        """Whether the next layer's weights come beside the last strip's work when held back."""
        held = [entry for entry in weights if entry[1] >= self._behind]
        if not self._behind or not held:
            return False
        thing, first, _ = min(held, key=lambda entry: entry[1])
        between = [task for task in self._tasks[self._behind : first] if task.name == "CONV"]
        work = sum(timing.steps(task.fields, self._size) for task in between)
        rate = self._size["bus_bytes"] * self._size["ddr_share"]
        return self._size["ddr_latency"] + thing.number * TILE / rate <= work

    def _add(self, time: int, command: Command) -> None:
        """Add a load before a task."""
        if self._behind and time >= self._behind:
            command[1]["wait_crop"] = self._crops
        self._ahead.setdefault(time, []).append(command)

    def _place_params(self, uses: Sequence[Any]) -> None:
        if sum(params.number for params, _, _ in uses) > PARAMS_ENTRIES:
            places = self._along(uses, PARAMS_ENTRIES, "entries of parameters")
            for (params, _, _), (entry, time) in zip(uses, places):
                params.entry = entry
                beat = entry * (PARAMS_BYTES // WORD)
                self._add(time, load_data(self._data, "PARAMS", params.data, beat))
            return
        entry = 0
        for is_held in (False, True):
            group = [params for params, first, _ in uses if (first >= self._behind > 0) == is_held]
            together = b"".join(params.data for params in group)
            if together:
                beat = entry * (PARAMS_BYTES // WORD)
                time = self._behind if is_held else 0
                self._add(time, load_data(self._data, "PARAMS", together, beat))
            for params in group:
                params.entry = entry
                entry += params.number

    def _place_weights(self, uses: Sequence[Any]) -> None:
        places = self._along(uses, self._size["weight_tiles"], "weight tiles")
        for index in sorted(range(len(uses)), key=lambda i: uses[i][1]):
            (weights, _, _), (tile, time) = uses[index], places[index]
            weights.tile = tile
            count = weights.number * TILE
            command = load("WEIGHTS", weights.region, weights.offset, count, tile * WORD)
            self._add(time, command)

    def _along(self, uses: Sequence[Any], size: int, what: str) -> List[Tuple[int, int]]:
        """Places of things in a memory: list of (base, number of the task its load precedes).

        Each load stands before the layer ahead of its own if there is room, so that it goes on
        beside that layer's work; earlier still where nothing else needs the place.
        """
        starts = sorted(first for _, first, _ in uses)
        arena = Arena(size, len(self._tasks))
        bases, times = [0] * len(uses), [0] * len(uses)

        for index in sorted(range(len(uses)), key=lambda i: -uses[i][0].number):
            thing, first, last = uses[index]
            before = starts[max(0, starts.index(first) - 1)]
            place = _first_fit(arena, thing.number, self._held(first, [before, first]), last)
            if place is None:
                raise CannotCompile(
                    f"{self._tasks[first].layer} needs {thing.number} {what} at once; this size "
                    f"has {size}"
                )
            bases[index], times[index] = place
        for index, (thing, first, last) in enumerate(uses):
            arena.release(bases[index], thing.number, times[index], last)
            at = starts.index(first)
            earlier = self._held(first, starts[max(0, at - AHEAD) : at] + [times[index]])
            place = _first_fit(arena, thing.number, earlier, last)
            assert place is not None  # its own place is free again
            bases[index], times[index] = place
        return list(zip(bases, times))

    def _held(self, first: int, times: Sequence[int]) -> List[int]:
        """Times in order, none before the end of the crop for what is first needed behind it."""
        least = self._behind if first >= self._behind else 0
        return sorted({max(time, least) for time in times})


def _first_fit(
    arena: Arena, number: int, times: Iterable[int], last: int
) -> Optional[Tuple[int, int]]:
    """(base, time) at the first of some times from which on there is room; None without."""
    for time in times:
        base = arena.place([(0, number, time, last)])
        if base is not None:
            return base, time
    return None

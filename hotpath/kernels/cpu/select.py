"""The compiled select of the families points and centre, as Python calls: ``select.h``."""

import ctypes
from typing import Any, List, Sequence, Tuple

import numpy as np

from hotpath.kernels import setting_structures
from hotpath.kernels.cpu import cpu_structures
from hotpath.kernels.cpu.arguments import check_state
from hotpath.kernels.settings import (
    MOST_PROPOSALS,
    PointsSettings,
    SelectionPrior,
    SelectSettings,
    with_prior,
)
from hotpath.kernels.votes import argmax, hanning_window, inner_hanning_window

NOTHING = np.full(1, np.nan)


class Select:
    """Select of one network in C++. The family's file in ``runtime/decode`` is the definition.

    Args:
        library: the loaded kernels.
        settings: the numbers of the network; an attribute, too.
    """

    def __init__(self, library: ctypes.CDLL, settings: SelectSettings) -> None:
        self.settings = settings
        cells = settings.size**2
        if isinstance(settings, PointsSettings):
            self._function = library.hp_points_select
            sizes: Tuple[int, ...] = (cells * (2 if settings.score == "softmax" else 1), 4 * cells)
            window = hanning_window(settings.size)
        else:
            self._function = library.hp_centre_select
            sizes = cells, 2 * cells, 2 * cells
            window = inner_hanning_window(settings.size)
        self._record = setting_structures.record(settings)
        self._sizes = sizes  # float32 values that each map has
        self._tables = window, np.zeros(cells, np.float32)  # the weight of each cell, and space
        self._score = ctypes.c_double()
        self._job = cpu_structures.SelectJob()
        self._job_at = ctypes.addressof(self._job)
        view = self._job.view
        self.scale, self.frame = view.scale, view.frame  # of the job's own memory
        self._given: Tuple[Any, ...] = (None,) * 4

    def select(
        self,
        maps: Sequence[np.ndarray],
        state: np.ndarray,
        scale: Tuple[float, float],
        frame_width: float,
        frame_height: float,
    ) -> Tuple[int, float]:
        """Pick the best cell and move the target there.

        Args:
            maps: float32, in the order and of the shapes that the family's ``shapes`` says.
            state: float64 [cx, cy, w, h], frame pixels; updated in place.
            scale: (x, y), search pixels per frame pixel.
            frame_width, frame_height: frame pixels.

        Returns:
            (index of the winning cell, row-major; its score).

        Raises:
            NetworkFailed: nothing is finite.
            ValueError: the arrays have other types or sizes.
        """
        first, second, third, held_state = self._given
        count = len(maps)  # 2 or 3
        if (
            state is not held_state
            or maps[0] is not first
            or maps[count >> 1] is not second
            or maps[-1] is not third
        ):
            self._bind(maps, state)
        self.scale[:] = scale
        self.frame[:] = frame_width, frame_height
        best = self._function(self._job_at)
        if best < 0:
            argmax(NOTHING)  # raises the definition's error
        return best, self._score.value

    def holds(self, maps: Sequence[np.ndarray]) -> bool:
        """Whether the job has the addresses of these very arrays, and of no copies."""
        return all(held is values for held, values in zip(self._held, maps))

    def bound(self, maps: Sequence[np.ndarray], state: np.ndarray) -> Tuple[int, int]:
        """(address of the function, address of its job), for a call from C++.

        Args:
            maps, state: as in ``select``; float32 and C-contiguous, and they stay where they are.
        """
        self._bind(maps, state)
        at = ctypes.cast(self._function, ctypes.c_void_p).value
        assert at is not None, "a function has an address"
        return at, self._job_at

    def _bind(self, maps: Sequence[np.ndarray], state: np.ndarray) -> None:
        """Keep the arrays' addresses, so that engines that reuse their outputs cost this once."""
        check_state(state)
        held = [np.ascontiguousarray(values, np.float32) for values in maps]
        addresses: List[int] = [values.ctypes.data for values in held]
        sizes: List[int] = [values.size for values in held]
        if tuple(sizes) != self._sizes:
            raise ValueError(f"maps: {[values.shape for values in maps]}")
        addresses += [0] * (3 - len(addresses))
        job = self._job
        job.head, job.maps[:] = ctypes.addressof(self._record), addresses
        job.window, job.space = cpu_structures.addresses(self._tables)
        job.state, job.score = state.ctypes.data, ctypes.addressof(self._score)
        self._held = held
        same = all(a is b for a, b in zip(held, maps))  # else convert in every frame
        watched = (maps[0], maps[len(maps) >> 1], maps[-1], state)
        self._given = watched if same else (None,) * 4


class CompiledProposals:
    """Places of one network's windows in C++. ``hotpath.runtime.decode.shared.proposals`` has the
    definition.

    Args:
        library: the loaded kernels.
        settings: the numbers of the network.
        prior: which places are proposed.
    """

    def __init__(
        self, library: ctypes.CDLL, settings: SelectSettings, prior: SelectionPrior
    ) -> None:
        own = with_prior(settings, prior)
        self._select = Select(library, own)
        self._state = np.zeros(4)
        kind, most = setting_structures.CHOICES["score"][own.score], min(prior.most, MOST_PROPOSALS)
        how = cpu_structures.Proposing(prior.share, kind, own.size, most, prior.apart)
        self._found = np.zeros(MOST_PROPOSALS, cpu_structures.Place)
        self._held = how, np.zeros(2 * own.size**2), np.zeros(2 * own.size**2, np.float32)
        rooms = cpu_structures.addresses([*self._held[1:], self._found])
        self._rest = (ctypes.addressof(how), *rooms)
        self._function = library.hp_propose
        self._maps: Any = (None, None)  # those whose addresses the job has
        self._call: Any = None

    def propose(
        self,
        maps: Sequence[np.ndarray],
        around: np.ndarray,
        scale: Tuple[float, float],
        frame_width: float,
        frame_height: float,
    ) -> Tuple[np.ndarray, List[float], List[int]]:
        """Return (states, scores, cells) of a window's places, the best first.

        Args and errors: those of ``hotpath.runtime.decode.shared.proposals.Proposals.propose``.
        """
        select = self._select
        if maps[0] is not self._maps[0] or maps[-1] is not self._maps[1]:  # engines reuse them
            self._call = (*select.bound(maps, self._state), *self._rest)
            self._maps = (maps[0], maps[-1]) if select.holds(maps) else (None, None)
        self._state[:] = around
        select.scale[:] = scale
        select.frame[:] = frame_width, frame_height
        count = self._function(*self._call)
        if not count:
            argmax(NOTHING)  # raises the definition's error
        found = self._found[:count].copy()
        return found["state"], found["score"].tolist(), found["cell"].tolist()

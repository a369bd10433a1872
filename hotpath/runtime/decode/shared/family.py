"""The interface of a decoder, which turns the maps of a network's family into a box."""

import typing

import numpy as np

from hotpath.kernels.cpu.select import Select

if typing.TYPE_CHECKING:
    from hotpath.kernels.cpu.interface import CpuKernels
    from hotpath.kernels.settings import SelectSettings

Maps = typing.Sequence[np.ndarray]
Scale = typing.Tuple[float, float]
Chosen = typing.Tuple[int, float]  # the winning cell in row-major order, its score


class Family:
    """A family's part of a frame. Most families define only ``select``, in NumPy.

    Attributes:
        settings: the numbers of ``select`` that the kernels take; None if it is in NumPy.
    """

    settings: typing.Any = None

    def select(
        self, maps: Maps, state: np.ndarray, scale: Scale, frame_width: int, frame_height: int
    ) -> Chosen:
        """Find the target in the maps and move the state to it.

        Args:
            maps: float32 arrays in the order of the family's ``shapes``.
            state: float64 [cx, cy, w, h], centre and size in frame pixels; updated in place.
            scale: (x, y), search pixels per frame pixel.
            frame_width, frame_height: frame pixels.

        Returns:
            (best, score): index of the winning cell in row-major order; its confidence, 0 to 1.

        Raises:
            NetworkFailed: the maps have no finite value, or the winner's box is not finite.
        """
        raise NotImplementedError


def compiled_or_definition(
    definition: Family, kernels: "CpuKernels", settings: "SelectSettings"
) -> Family:
    """Return what selects: in C++ if the kernels are compiled, else the definition."""
    select: typing.Any = kernels.new(Select, settings)
    return definition if select is None else typing.cast(Family, select)

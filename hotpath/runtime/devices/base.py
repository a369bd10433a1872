"""The interface of a device: it crops windows of a frame, runs the network on them, and selects.

``Device.run`` takes the windows of a frame as a list. A followed target adds one window. A lost
target also adds the windows of its search. All targets share one device, which keeps only the
``Exemplar`` of each target. ``hotpath.runtime.tracker.tracker`` makes all decisions about a target,
independent of the device. The files of this folder are the devices: ``processor``, ``gpu`` and
``fpga``.
"""

import math
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hotpath.base.errors import NetworkFailed
from hotpath.kernels.cpu import select
from hotpath.kernels.cpu.interface import CpuKernels
from hotpath.kernels.settings import ARGMAX, SelectionPrior
from hotpath.runtime import decode
from hotpath.runtime.frames.pictures import AnyFrame, checked_frame
from hotpath.runtime.network import Network
from hotpath.runtime.types import WindowResult

if TYPE_CHECKING:
    from hotpath.runtime.engines.base import Engine


STEPS = ("crop", "network", "select")
StepMs = Dict[str, float]
Size = Tuple[int, int]  # width, height


class Exemplar:
    """The features of one target, in the memory from which the network reads them.

    Args:
        border: colour of the pixels outside the frame, (3,) uint8, BGR, for all windows of the
            target: ``geometry.border_colour`` of its first frame.
    """

    def __init__(self, border: np.ndarray) -> None:
        self.border = border

    def close(self) -> None:
        """Release the device's memory. May be called twice. No look may use it afterwards."""


class WindowRequest(NamedTuple):
    """A window to look at.

    Attributes:
        exemplar: the target's ``Exemplar``, from the same device.
        around: float64 [cx, cy, w, h], frame pixels. It gives the window its centre and size
            (``geometry.search_window``). If the device selects, it is the target's last state.
        sides: sides of the window relative to the usual window.
        prior: the places that the device proposes. None if it returns the maps.
        reads: whether the features of the whole window are read. A device that would have to copy
            them returns none if not, and features under the places instead.
    """

    exemplar: Exemplar
    around: np.ndarray
    sides: float = 1.0
    prior: Optional[SelectionPrior] = ARGMAX
    reads: bool = True


class Device:
    """Runs the windows of all targets of one engine.

    Args:
        network: the ``Network``.
        engine: an engine that holds the network. The caller closes it.
        kernels: kernels of the processor (see ``hotpath.kernels.cpu.load``), for work on the
            processor.

    Attributes:
        network, engine, kernels: the arguments.
        title: the hardware, for a sentence.
        kernels_name: the kernels that crop and select: "c++", "numpy" or "cuda".
        windows: windows that one call of the network takes. ``run`` makes several calls for more.
        shows_features: whether ``WindowResult`` can have the features of the window.
        copies: whether the device copies what it shows, so that ``WindowRequest.reads`` makes a
        difference.
        point_prompt: the ``PointPrompt`` once a point was given, else None.
        is_live: whether frames come from a live camera, so that a frame must not take long.
        beside: the device of a witness, whose head a point prompt may use, or None.
        open_other: opens the device of another network beside this one, by its name; None where
            there is none.
    """

    title = ""
    kernels_name = ""
    windows = 1
    shows_features = False
    copies = False

    def __init__(self, network: Network, engine: "Engine", kernels: CpuKernels) -> None:
        self.network, self.engine, self.kernels = network, engine, kernels
        self._places: Dict[SelectionPrior, Any] = {}  # what proposes places on the processor
        self.point_prompt: Any = None
        self.is_live = False
        self.beside: Optional[Device] = None
        self.open_other: Optional[Callable[[str], Device]] = None

    def take(self, frame: Any) -> Tuple[Any, Tuple[int, ...]]:
        """Check a frame; returns (the frame as the device reads it, (height, width, ...)).

        Call it once for a frame, before all other calls. It returns a BGR uint8 array unchanged.

        Raises:
            BadFrame: the device cannot read such a frame.
        """
        checked: AnyFrame = checked_frame(frame)
        return checked, checked.shape

    def picture(self, frame: Any) -> AnyFrame:
        """Return a frame as the processor reads it. A frame in device memory is converted.

        Args:
            frame: from ``take``. It is converted at most once.
        """
        raise NotImplementedError

    def exemplar(self, frame: Any, around: np.ndarray) -> Exemplar:
        """Crop the exemplar of a target and compute its features.

        Args:
            frame: from ``take``.
            around: float64 [cx, cy, w, h] of the target, frame pixels. The array is not kept.
        """
        raise NotImplementedError

    def run(
        self, frame: Any, requests: Sequence[WindowRequest]
    ) -> Tuple[List[WindowResult], StepMs]:
        """Crop windows, run the network on them, and select if a ``WindowRequest`` asks for it.

        The result for a window does not depend on other windows. For a network of several scales
        (``decode.scales``) each ``WindowRequest`` asks for the maps.

        Args:
            frame: from ``take``.
            requests: any number of ``WindowRequest``, for any targets, in any order.

        Returns:
            (results, step_ms): a ``WindowResult`` for each, whose arrays stay valid until the next
            call; the milliseconds of each of ``STEPS``, a new dict.

        Raises:
            GpuFailed, …: the device failed. If only the numbers of one window are not finite, its
                ``WindowResult.scores`` is NaN instead.
        """
        raise NotImplementedError

    def result(
        self,
        request: WindowRequest,
        scale: Tuple[float, float],
        features: Any,
        maps: Any,
        frame_size: Size,
    ) -> WindowResult:
        """Select on the processor (see ``hotpath.runtime.decode.shared.proposals``), if the look
        asks for it.

        ``frame_size`` is (width, height). The other arguments are those of ``WindowResult``.
        """
        prior, around = request.prior, request.around
        if prior is None:
            return WindowResult(around, scale, features, maps)
        if prior not in self._places:
            settings = decode.create(self.network, self.kernels).settings
            self._places[prior] = settings and self.kernels.new(
                select.CompiledProposals, settings, prior
            )
        if self._places[prior] is None:  # nothing was compiled, or the family has no kernel
            from hotpath.runtime.decode.shared.proposals import Proposals

            self._places[prior] = Proposals(self.network, self.kernels, prior)
        try:
            found = self._places[prior].propose(maps, around, scale, *frame_size)
        except NetworkFailed:
            found = around[None].copy(), [math.nan], [-1]
        return WindowResult(around, scale, features, None, *found)

    @property
    def has_head(self) -> bool:
        """Whether the network itself has a head that finds the object at a point."""
        return self.network.point_prompt is not None and bool(self.shows_features)

    @property
    def finds_at_points(self) -> bool:
        """Whether a point selects: by the network's own head, or by that of another network."""
        beside = self.beside is not None and self.beside.has_head
        return self.has_head or beside or self.open_other is not None

    def close(self) -> None:
        """Release the device's memory. The engine stays open. May be called twice."""
        if self.point_prompt is not None:
            self.point_prompt.close()


def copy_of_result(result: WindowResult) -> WindowResult:
    """Return a copy whose features and maps are in its own memory, which no later call changes."""
    features = None if result.features is None else result.features.copy()
    maps = None if result.maps is None else tuple(values.copy() for values in result.maps)
    pooled = None if result.pooled is None else result.pooled.copy()
    return result._replace(features=features, maps=maps, pooled=pooled)

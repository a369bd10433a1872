"""The interface of a device: it crops windows of a frame, runs the network on them, and selects.

``Device.look`` takes the windows of a frame as a list. A followed target adds one window. A lost
target also adds the windows of its search. All targets share one device, which keeps only the
``Exemplar`` of each target. ``hotpath.runtime.tracker.tracker`` makes all decisions about a target,
independent of the device. The files of this folder are the devices: ``processor``, ``gpu`` and
``fpga``.
"""

import math
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hotpath.base.errors import NetworkFailed
from hotpath.kernels.cpu import select
from hotpath.kernels.cpu.interface import Kernels
from hotpath.kernels.settings import ARGMAX, Prior
from hotpath.runtime import decode
from hotpath.runtime.frames.pictures import AnyFrame, checked_frame
from hotpath.runtime.network import Network
from hotpath.runtime.types import Seen

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


class Look(NamedTuple):
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
    prior: Optional[Prior] = ARGMAX
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
        kernels_name: the kernels that crop and select: "c++", "numpy" or "cuda".
        windows: windows that one call of the network takes. ``look`` makes several calls for more.
        shows_features: whether ``Seen`` can have the features of the window.
        copies: whether the device copies what it shows, so that ``Look.reads`` makes a difference.
        taps: the ``hotpath.runtime.tracker.point_prompt.Taps`` once a point was given, else None.
    """

    kernels_name = ""
    windows = 1
    shows_features = False
    copies = False

    def __init__(self, network: Network, engine: "Engine", kernels: Kernels) -> None:
        self.network, self.engine, self.kernels = network, engine, kernels
        self._places: Dict[Prior, Any] = {}  # what proposes places on the processor
        self.taps: Any = None

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

    def look(self, frame: Any, looks: Sequence[Look]) -> Tuple[List[Seen], StepMs]:
        """Crop windows, run the network on them, and select if a ``Look`` asks for it.

        The result for a window does not depend on other windows. For a network of several scales
        (``decode.scales``) each ``Look`` asks for the maps.

        Args:
            frame: from ``take``.
            looks: any number of ``Look``, for any targets, in any order.

        Returns:
            (seen, step_ms): a ``Seen`` for each, whose arrays stay valid until the next call; the
            milliseconds of each of ``STEPS``, a new dict.

        Raises:
            GpuFailed, …: the device failed. If only the numbers of one window are not finite, its
                ``Seen.scores`` is NaN instead.
        """
        raise NotImplementedError

    def seen(
        self, look: Look, scale: Tuple[float, float], features: Any, maps: Any, frame_size: Size
    ) -> Seen:
        """Select on the processor (see ``hotpath.runtime.decode.shared.proposals``), if the look
        asks for it.

        ``frame_size`` is (width, height). The other arguments are those of ``Seen``.
        """
        prior, around = look.prior, look.around
        if prior is None:
            return Seen(around, scale, features, maps)
        if prior not in self._places:
            settings = decode.create(self.network, self.kernels).settings
            self._places[prior] = settings and self.kernels.new(select.Places, settings, prior)
        if self._places[prior] is None:  # nothing was compiled, or the family has no kernel
            from hotpath.runtime.decode.shared.proposals import Places

            self._places[prior] = Places(self.network, self.kernels, prior)
        try:
            found = self._places[prior].propose(maps, around, scale, *frame_size)
        except NetworkFailed:
            found = around[None].copy(), [math.nan], [-1]
        return Seen(around, scale, features, None, *found)

    def prepare(self, wait: bool = True) -> None:
        """Prepare calls of several windows, if that takes time. May be called again.

        Args:
            wait: whether to wait until they are ready, or prepare them in the background.
        """

    def close(self) -> None:
        """Release the device's memory. The engine stays open. May be called twice."""

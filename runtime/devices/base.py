"""What a device is: it crops windows of a frame, runs the network on them, and selects.

A frame is a list of windows. One target that is followed is a list of one; five targets are a list
of five; a lost target adds the windows of its search. ``Device.look`` takes the list. All targets
share one device, which holds nothing of a target but its ``Exemplar``. What is decided about a
target stands above (``runtime.tracker``), once, and knows no device. The files of this folder are
the devices: ``processor``, ``gpu`` and ``fpga``.
"""

from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from kernels.cpu.interface import Kernels
from runtime.network import Network
from runtime.pictures import AnyFrame
from runtime.types import Seen, checked_frame

if TYPE_CHECKING:
    from runtime.engines.base import Engine


class Exemplar:
    """What a device keeps of one target: its features, where the network reads them.

    Args:
        border: colour of the pixels outside the frame, (3,) uint8, BGR; ``geometry.border_colour``
            of the target's first frame. All windows of the target have it.
    """

    def __init__(self, border: np.ndarray) -> None:
        self.border = border

    def close(self) -> None:
        """Release the device's memory; may be called twice. No look may use it afterwards."""


class Look(NamedTuple):
    """A window to look at.

    Attributes:
        exemplar: of the target, from ``Device.exemplar`` of the same device.
        around: float64 [cx, cy, w, h], frame pixels: what the window is centred on and sized by
            (``geometry.search_window``). Where the device selects, the target's last state.
        sides: of the window, in usual ones.
        selects: whether the device selects the target's new state; else it gives the maps.
    """

    exemplar: Exemplar
    around: np.ndarray
    sides: float = 1.0
    selects: bool = True


class Device:
    """Runs the windows of all targets of one engine.

    Args:
        network: the ``Network``.
        engine: an engine that holds it; its owner closes it.
        kernels: of the processor (see ``kernels.cpu.load``), for what it judges.

    Attributes:
        network, engine, kernels: as above.
        kernels_name: which kernels crop and select: "c++", "numpy" or "cuda".
        windows: the most that one call of the network takes. ``look`` takes more, in several calls.
        shows_features: whether what is seen has the features of the window.
        step_ms: dict of milliseconds in each step: crop, network, select, and refresh (features of
            a second exemplar, in the first look that uses it). ``look`` adds to them; who begins a
            frame sets them to 0.
    """

    kernels_name = ""
    windows = 1
    shows_features = False

    def __init__(self, network: Network, engine: "Engine", kernels: Kernels) -> None:
        self.network, self.kernels = network, kernels
        self.engine: Any = engine
        steps = ("crop", "network", "select", "refresh")
        self.step_ms: Dict[str, float] = dict.fromkeys(steps, 0.0)

    def take(self, frame: Any) -> Tuple[Any, Tuple[int, ...]]:
        """Check a frame: (as the device takes it, its (height, width, ...)).

        It is called once for a frame, before all else. A BGR uint8 array comes back as it is.

        Raises:
            BadFrame: the device can read no such frame.
        """
        checked: AnyFrame = checked_frame(frame)
        return checked, checked.shape

    def picture(self, frame: Any) -> AnyFrame:
        """A frame as the processor reads it; a device with frames of its own converts them.

        Args:
            frame: from ``take``. It is converted at most once.
        """
        picture: AnyFrame = frame
        return picture

    def exemplar(
        self, frame: Any, around: np.ndarray, beside: Optional[Exemplar] = None
    ) -> Exemplar:
        """Crop the exemplar of a target and compute its features.

        Args:
            frame: from ``take``.
            around: float64 [cx, cy, w, h] of the target, frame pixels; not kept.
            beside: of networks with two exemplars, the target's first one. It stays as it is: the
                result has its first picture and its border, and the new crop as its second
                picture. None for a new target; such a network then takes the crop as both.

        Returns:
            a new ``Exemplar``. Its features may be computed when it is first looked with.
        """
        raise NotImplementedError

    def look(self, frame: Any, looks: Sequence[Look]) -> List[Seen]:
        """Crop windows, run the network on them, and select where that is asked for.

        What is seen of a window does not depend on the others. For a network of several scales
        (``decode.scales``) it is never asked to select.

        Args:
            frame: from ``take``.
            looks: any number, of any targets, in any order.

        Returns:
            a ``Seen`` for each. Its arrays of the processor stay valid until the next call.

        Raises:
            GpuFailed, …: the device failed. Where only the numbers of a window are not finite, its
                ``Seen.score`` is NaN.
        """
        raise NotImplementedError

    def prepare(self, wait: bool = True) -> None:
        """Make calls of several windows ready, where that takes time; may be called again.

        Args:
            wait: until they are ready; else that goes on in the background.
        """

    def close(self) -> None:
        """Release what the device holds; the engine stays open. May be called twice."""

"""What an engine is: it runs the two graphs of a network on one kind of hardware.

An engine is one file in this folder: a module whose class ``Engine`` derives from the ``Engine``
below and has the file's name as its ``name``. Nothing else has to be edited. An engine may also
stand in a folder ``runtime/engines`` without an ``__init__.py`` below any folder of Python's path.

The class attributes are read without its library, to list the engines and to check a board. So
such a module imports its library and NumPy only where it uses them.

An engine must give ``exemplar_crop``, ``exemplar``, ``search_crop``, ``search`` and ``describe``.
What it may give besides has a default here that says no. Callers compare with that default.
"""

import importlib.util
import pathlib
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from kernels.commands import make
from runtime import canonical
from runtime.bundle import Bundle
from runtime.errors import NoEngine
from runtime.networks import Network

# A second thread takes a tenth off these small networks on a free core, and multiplies their time
# on a busy one.
THREADS = 1


class Setup(NamedTuple):
    """What an engine is made from."""

    network: Network  # the ``Network``
    # dict of part -> path of the network's ONNX files; empty where a bundle has others
    paths: Mapping[str, pathlib.Path]
    threads: int = THREADS  # of one call of the network
    # the bundle that the files come from, its parts checked; None for none
    bundle: Optional[Bundle] = None
    device: Any = None  # an open ``kernels.cuda.device``, or PYNQ's device; None to open one
    # path of the .bit for an FPGA; None for the one of the bundle's board
    overlay: Optional[pathlib.Path] = None
    # of the engine's own, as the entry ``settings`` of a bundle has them
    settings: Mapping[str, Any] = {}
    latency: str = "normal"  # one of ``runtime.options.LATENCIES``
    log: Any = None  # called with one sentence; None for silence


class Batch:
    """Searches in several windows in one call.

    Attributes:
        crops: for each window, the array for its crop; see ``Engine.search_crop``.
        search_features: for each window, what ``Engine.search_features`` is for one.
    """

    crops: Sequence[Any] = ()
    search_features: Sequence[Any] = ()

    def start(self, number: int, features: Any) -> None:
        """Take the features of the target of window ``number``, after its crop was written."""
        raise NotImplementedError

    def finish(self) -> Sequence[Tuple[Any, ...]]:
        """Run the network; returns the maps of each window, which the next call overwrites."""
        raise NotImplementedError


class Engine:
    """Runs one network; several targets may share it.

    Args:
        setup: the ``Setup``.

    Class attributes:
        name: the file's name.
        title: the hardware, for a list of engines: "CPU", "NVIDIA GPU", "FPGA".
        runs_files: whether it runs a network's own ONNX files.
        preference: place in the order in which "auto" tries engines, the lowest first; None where
            "auto" never takes it.
        libraries: modules that it imports and that do not come with this project.
        install: the command that installs them.

    Attributes:
        network, bundle, threads: as in ``setup``.
        search_crop: (1, 3, side, side) array: write the search region into it. It is normalised
            float32, or uint8 as it is (see ``runtime.graphs.byte_pictures``). Its memory holds
            planes; of bytes, it may hold the channels of a pixel side by side. An engine in an
            FPGA has an object in its place, which ``runtime.devices.fpga`` knows.
        search_features: float32 (1, channels, cells) array: the features of the search region in
            the last call (see ``runtime.graphs.assemble``); None where the graph has none.
        exemplar_crop: the array for the exemplar; see ``search_crop``.
        exemplar_box: the array for ``geometry.exemplar_box``; None where the network takes none.
        device: the open ``kernels.cuda.device`` where the tensors lie in a GPU's memory; the engine
            is then a ``runtime.engines.gpu.GpuEngine``. None where they do not.
        fabric: the ``kernels.fpga.fabric.Fabric`` that also crops; None where there is none.
        windows: the most that one call takes: 1, 2, 4 or 8; see ``batch``.
    """

    name = ""
    title = "CPU"
    runs_files = False
    preference: Optional[int] = None
    libraries: Tuple[str, ...] = ()
    install = ""

    bundle: Any = None
    search_crop: Any = None
    search_features: Any = None
    exemplar_crop: Any = None
    exemplar_box: Any = None
    device: Any = None
    fabric: Any = None
    windows = 1

    def __init__(self, setup: Setup) -> None:
        self.network = setup.network
        self.bundle = setup.bundle
        self.threads = setup.threads

    @classmethod
    def bundle_of(cls, setup: Setup) -> Bundle:
        """The bundle of a ``Setup``.

        Raises:
            NoEngine: there is none, and this engine runs nothing else.
        """
        if setup.bundle is None:
            raise NoEngine(
                f"{cls.name} runs bundles only; build one with "
                f"`{make('engine', BOARD='…', NETWORK=setup.network.name)}`"
            )
        return setup.bundle

    @classmethod
    def is_installed(cls) -> bool:
        """Whether all of its libraries can be found; none of them is imported."""
        return all(importlib.util.find_spec(library) is not None for library in cls.libraries)

    @classmethod
    def computes_int8(cls) -> bool:
        """Whether it computes INT8 networks in whole numbers on this processor."""
        return True

    @classmethod
    def check_bundle(cls, run: Dict[str, Any], settings: Dict[str, Any]) -> List[str]:
        """Check the entries of a ``bundle.json`` that are this engine's own.

        Args:
            run: the entry ``run``. Here it is {"graphs": the file that ``canonical.read`` reads}.
            settings: the entry ``settings``.

        Returns:
            Names of the bundle's files that ``run`` refers to.

        Raises:
            ValueError: an entry is missing or wrong; its text says which.
        """
        if run.get("graphs") != canonical.DESCRIPTION:
            raise ValueError(f"run.graphs is not {canonical.DESCRIPTION}")
        return [canonical.DESCRIPTION]

    @classmethod
    def form(cls) -> str:
        """How it takes pictures: one of ``canonical.FORMS``."""
        return canonical.FLOATS

    def read_graphs(self, setup: Setup) -> Any:
        """Read the network, from its bundle or from its own files: a ``canonical.Graphs``.

        Raises:
            BadNetwork: see ``canonical.load``.
        """
        if setup.bundle is not None:
            return canonical.read(str(setup.bundle.folder))
        return canonical.load(self.network, setup.paths, self.form(), setup.log)

    def exemplar(self) -> Tuple[Any, ...]:
        """Run the network on the picture in ``exemplar_crop``.

        Returns:
            The features of one target, for ``search``.
        """
        raise NotImplementedError

    def search(self, features: Any) -> Tuple[Any, ...]:
        """Run the network on the picture in ``search_crop``.

        Args:
            features: what ``exemplar`` returned for the target.

        Returns:
            The maps, a tuple of float32 arrays; the next call overwrites them.
        """
        raise NotImplementedError

    def batch(self, count: int) -> Batch:
        """Return the ``Batch`` for ``count`` windows: 2, 4 or 8, at most ``windows``.

        It is made when the engine is opened, or in a thread that this waits for.
        """
        raise NotImplementedError

    def prepare(self) -> None:
        """Begin to make the batches, where that takes time; may be called again."""

    def describe(self) -> Dict[str, Any]:
        """Say what runs where: a dict with at least engine, version, device and precision."""
        raise NotImplementedError

    def close(self) -> None:
        """Release what the engine holds. It cannot be used afterwards."""

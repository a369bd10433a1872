"""The interface of an engine. It runs the two graphs of a network on one kind of hardware.

An engine is one file in this folder. Its class ``Engine`` derives from the ``Engine`` below, and
its ``name`` is the file's name. Nothing else has to be edited.

Programs read the class attributes without the engine's library, to list the engines and to check a
board. So an engine imports its library and NumPy only in the functions that use them.

An engine must define ``exemplar_crop``, ``exemplar``, ``search_crop``, ``search`` and ``describe``.
Everything else is optional. Its default here means that the engine does not support it.
"""

import importlib.util
import pathlib
from typing import TYPE_CHECKING, Any, List, Mapping, NamedTuple, Optional, Tuple

from hotpath.base.toml_keys import Table
from hotpath.runtime.errors import NoEngine
from hotpath.runtime.networks import Network, canonical
from hotpath.runtime.options import DEFAULTS, Options

if TYPE_CHECKING:
    from hotpath.kernels.fpga.fabric import Fabric
    from hotpath.runtime.networks.bundle import Bundle

THREADS = 1  # of an engine that says nothing else, see ``shared.arithmetic``


class Setup(NamedTuple):
    """What is to run where: the values from which an engine is made.

    Attributes:
        network: the ``Network``; None for the one whose TOML is in the bundle.
        paths: dict of part -> path of the network's ONNX files; empty where a bundle has others.
        bundle: the ``Bundle`` whose files run, its parts checked; None for the network's own files.
        options: the user's. ``threads``, ``log`` and ``networks_dir`` count here.
        device: an open ``hotpath.kernels.cuda.device``, or PYNQ's device; None to open one.
        overlay: path of the .bit for an FPGA; None for the one of the bundle's board.
        settings: of the engine's own, as the entry ``settings`` of a bundle has them.
        missing: why a board runs these files and no bundle, a sentence with what to do; "" else.
    """

    network: Any = None
    paths: Mapping[str, pathlib.Path] = {}
    bundle: "Optional[Bundle]" = None
    options: Options = DEFAULTS
    device: Any = None
    overlay: Optional[pathlib.Path] = None
    settings: Mapping[str, Any] = {}
    missing: str = ""


class Engine:
    """Runs one network; several targets may share it.

    Args:
        setup: the ``Setup``.

    Class attributes:
        name: the file's name.
        title: the hardware, for a list of engines: "CPU", "NVIDIA GPU", "FPGA".
        runs_files: whether it runs a network's own ONNX files.
        precisions: of the bundles that can be built for it; empty for all that the board has.
        libraries: modules that it imports and that do not come with this project.
        install: the command that installs them; "" for what every computer gets (the extra host).

    Attributes:
        network, bundle: as in ``setup``.
        threads: of one call of the network.
        why: why this precision was chosen, a phrase that begins with a comma or colon; else "".
        search_crop: (1, 3, side, side) array; the caller writes the search region into it. It is
            normalised float32, or uint8 without normalisation (see
            ``hotpath.graphs.byte_pictures``). Its memory holds planes. A uint8 array may be a view
            of (h, w, 3) pixels. An engine in an FPGA has an object of
            ``hotpath.runtime.devices.fpga`` instead.
        search_features: float32 (1, channels, cells) array: the features of the search region in
            the last call (see ``hotpath.graphs.assemble``); None if the graph has none.
        exemplar_crop: the array for the exemplar; see ``search_crop``.
        exemplar_box: the array for ``geometry.exemplar_box``; None if the network takes none.
        device: the open ``hotpath.kernels.cuda.device`` if the tensors are in a GPU's memory. The
            engine is then a ``hotpath.runtime.engines.shared.gpu_engine.GpuEngine``. Else None.
        fabric: the ``hotpath.kernels.fpga.fabric.Fabric`` that also crops; None if there is none.
    """

    name = ""
    title = "CPU"
    runs_files = False
    precisions: Tuple[str, ...] = ()
    libraries: Tuple[str, ...] = ()
    install = ""

    bundle: "Optional[Bundle]" = None
    why = ""
    search_crop: Any = None
    search_features: Any = None
    exemplar_crop: Any = None
    exemplar_box: Any = None
    device: Any = None
    fabric: "Optional[Fabric]" = None

    def __init__(self, setup: Setup) -> None:
        self.network: Network = setup.network
        self.bundle = setup.bundle
        self.threads = setup.options.threads or THREADS

    @classmethod
    def bundle_of(cls, setup: Setup) -> "Bundle":
        """Return the bundle of a ``Setup``.

        Raises:
            NoEngine: there is none, and this engine runs only bundles.
        """
        if setup.bundle is None:
            from hotpath.base.messages import make_command

            raise NoEngine(
                f"{cls.name} runs bundles only; build one with "
                f"`{make_command('engine', BOARD='…', NETWORK=setup.network.name)}`"
            )
        return setup.bundle

    @classmethod
    def is_installed(cls) -> bool:
        """Whether all of its libraries can be found. This imports none of them."""
        return all(importlib.util.find_spec(library) is not None for library in cls.libraries)

    @classmethod
    def install_command(cls) -> str:
        """Return the command that installs its libraries."""
        from hotpath.base.messages import make_command

        return cls.install or make_command("setup", ALSO="host")

    @classmethod
    def computes_int8(cls) -> bool:
        """Whether this engine computes INT8 networks in integers on this processor."""
        return True

    @classmethod
    def check_bundle(cls, run: Table, settings: Table) -> List[str]:
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
        """Return the form in which it takes pictures, one of ``canonical.FORMS``."""
        return canonical.FLOATS

    def read_graphs(self, setup: Setup) -> Any:
        """Read the network, from its bundle or from its own files: a ``canonical.CanonicalModels``.

        Raises:
            BadNetwork: see ``canonical.load``.
        """
        if setup.bundle is not None:
            return canonical.read(str(setup.bundle.folder))
        return canonical.load(self.network, setup.paths, self.form(), setup.options.log)

    def exemplar(self) -> Tuple[Any, ...]:
        """Run the network on the picture in ``exemplar_crop``.

        Returns:
            The features of one target, for ``search``.
        """
        raise NotImplementedError

    def search(self, features: Any) -> Tuple[Any, ...]:
        """Run the network on the picture in ``search_crop``.

        Args:
            features: the result of ``exemplar`` for the target.

        Returns:
            The maps, a tuple of float32 arrays; the next call overwrites them.
        """
        raise NotImplementedError

    def describe(self) -> Table:
        """Say what runs where: a dict with at least engine, version, device and precision."""
        raise NotImplementedError

    def close(self) -> None:
        """Release the engine's memory. The engine cannot be used afterwards."""

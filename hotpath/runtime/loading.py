"""Make a tracker from a name, a bundle or a board: choose the files, the engine and the device.

load            -> Loaded: network, engine, kernels
  choose           -> Setup: board, network and bundle
  open_setup       -> the engine: of a bundle, or for the network's own ONNX files
create_device   -> the device of that engine, which all its targets share
open_devices    -> the devices of a network and of its witness
tracker_on      -> the tracker of one target on them
"""

import os
import warnings
from typing import NamedTuple, Optional, Tuple

from hotpath import boards
from hotpath.base.errors import NoCompiler, NotOnGpu
from hotpath.base.log import reporter, users_level
from hotpath.kernels import cpu
from hotpath.kernels.cpu.interface import Kernels
from hotpath.runtime import engines
from hotpath.runtime.devices.base import Device
from hotpath.runtime.devices.processor import Processor
from hotpath.runtime.engines.base import Engine, Setup
from hotpath.runtime.engines.shared.precision import SUFFIX, int8_form, open_precision
from hotpath.runtime.errors import BadBundle, BadOption
from hotpath.runtime.networks import Network, default_of, load_network
from hotpath.runtime.options import AUTO, DEFAULTS, NO_WITNESS, Options, checked
from hotpath.runtime.tracker.tracker import Tracker, why_no_search_on

# what a board's profile says of lost targets -> ``recover`` of a ``Tracker``
RECOVER = {"search": True, "report": False, "nothing": None}

DEVICE_TREE = "/proc/device-tree"  # of a board; a PC has none
NVIDIA_DRIVER = "/proc/driver/nvidia/version"  # on a PC and in a Jetson's containers


class Loaded(NamedTuple):
    """A network that is ready to run.

    Attributes:
        network: the ``Network``.
        engine: the engine that holds it; several trackers may share it.
        kernels: crop and select on the processor (see ``hotpath.kernels.cpu.load``).
    """

    network: Network
    engine: Engine
    kernels: Kernels


def load(options: Options) -> Loaded:
    """Load a network into an engine.

    Args:
        options: checked here, for everything that loads a tracker.

    Raises:
        BadOption, UnknownNetwork, BadNetwork, NoEngine, BadBundle, BundleMismatch: see
            ``hotpath.runtime.errors``.
    """
    setup = choose(options)
    engine = open_setup(setup)
    return Loaded(engine.network, engine, cpu.load())


def choose(options: Options) -> Setup:
    """Choose board, network and bundle; nothing is opened.

    With "auto", a board runs the bundle of the network that was built last. Without one, and on a
    computer, the network's own files run in an engine of this computer.

    Raises:
        BadOption, UnknownNetwork, BadNetwork, NoEngine, BadBundle, BundleMismatch: as ``load``.
    """
    options = checked(options)
    is_auto = options.engine == AUTO
    if (
        options.bundle
        or options.board
        or options.simulate
        or not (is_auto or engines.find(options.engine).runs_files)
    ):
        from hotpath.runtime.engines.shared.bundle_choice import with_bundle  # a computer has none

        return with_bundle(options)
    if is_auto and _may_have_bundles():
        from hotpath.runtime.engines.shared.bundle_choice import of_this_board

        setup = of_this_board(options)
        if setup is not None:
            return setup
    network = default_of(board_here()) if options.network is None else options.network
    return Setup(load_network(network), options=options)


def _may_have_bundles() -> bool:
    """Whether to look for bundles: a PC has them only for its GPU."""
    return any(os.path.exists(path) for path in (DEVICE_TREE, NVIDIA_DRIVER))


def board_here() -> Optional[boards.Board]:
    """Return the profile of this computer or board; None if it is not known."""
    if not os.path.exists(DEVICE_TREE):  # as on a PC
        return boards.load_board(boards.HOST)
    from hotpath.boards import detect  # reads the profiles of all boards

    return detect.detect().board


def open_setup(setup: Setup) -> Engine:
    """Check what was chosen, and load it into its engine.

    Raises:
        BadBundle, BundleMismatch, NoEngine: the bundle or its engine cannot be used here.
        BadNetwork: the network's own files are not what its TOML says.
    """
    bundle, options = setup.bundle, setup.options
    if bundle is None:
        return open_precision(setup)
    engine = engines.find(bundle.engine)
    try:
        bundle.check_run(engine.check_bundle(bundle.run, bundle.settings))
    except ValueError as error:
        bundle.damaged(str(error))
    bundle.check_board(setup.board, None if options.precision == AUTO else options.precision)
    network = setup.network
    if network is not None:
        form = int8_form(network)
        if form is not None and form.name == bundle.network["name"]:  # as a computer's may be
            network = form
        bundle.check_network(network, options.networks_dir)
    bundle.check_parts()
    network = network or bundle.load_network()
    return engines.open_engine(
        bundle.engine, setup._replace(network=network, settings=bundle.settings)
    )


def open_tracker(options: Options) -> Tracker:
    """Load a network, and make a tracker of one target with it: ``hotpath.load_tracker``."""
    options = options._replace(log=reporter(options.log))
    device, witness = open_devices(options)
    return tracker_on(device, options, witness)


def open_devices(options: Options) -> Tuple[Device, Optional[Device]]:
    """Load a network and its witness; returns the device of each, None without a witness.

    A board's profile names the witness of the board's own network. If a bundle for it is missing,
    the log says so, and the network follows alone.

    Raises:
        BadOption: the networks cannot be each other's witness.
        BadOption, UnknownNetwork, …: as ``load``, also for a witness that the user names.
    """
    device = create_device(*load(options), options)
    try:
        return device, _witness_of(device, options)
    except BaseException:
        _close(device)
        raise


def _witness_of(device: Device, options: Options) -> Optional[Device]:
    """Open the device of a network's witness; None without one. Errors as of ``open_devices``."""
    name, log = options.witness, options.log
    is_named = name is not None
    if name is None and options.network is None and options.bundle is None:
        board = board_here() if device.engine.bundle is None else board_of(device.engine)
        name = board.witness if board is not None else None
    if name in (None, NO_WITNESS) or (not is_named and recovers(device, options) is None):
        return None
    try:
        return _open_witness(device, options._replace(network=name))
    except BadBundle as error:
        if is_named:
            raise
        if log is not None:
            log(f"{device.network.name} follows without its witness {name}: {error}")
        return None


def _open_witness(device: Device, options: Options) -> Device:
    """Open the device of a witness, which ``options.network`` names; errors as of its caller."""
    reason = why_no_search_on(device)
    if device.engine.fabric is not None:
        reason = "an FPGA holds one network at a time"
    elif recovers(device, options) is None:
        reason = "by the board's profile no target is lost here; set recover (--recover), too"
    if reason:
        raise _no_witness(options, reason)
    bundle = device.engine.bundle
    if bundle is not None:
        options = options._replace(bundle=None, board=options.board or bundle.board)
    witness = create_device(*load(options._replace(log=None)), options)
    reason = why_no_search_on(witness)
    names = [each.network.name.split(SUFFIX)[0] for each in (device, witness)]
    if names[0] == names[1]:
        reason = "a witness is another network than the one that it watches"
    if reason:
        _close(witness)
        raise _no_witness(options, reason)
    device.beside = witness
    if options.log is not None:
        text = f"{witness.network.name} is the witness of {device.network.name}"
        options.log(f"{text}: a target is tracked where both say so (--witness none: without)")
    return witness


def _no_witness(options: Options, reason: str) -> BadOption:
    return BadOption(f"{options.network} can't be the witness: {reason}", what="no witness")


def _close(device: Device) -> None:
    device.close()
    device.engine.close()


def create_tracker(
    network: Network, engine: Engine, kernels: Kernels, options: Options = DEFAULTS
) -> Tracker:
    """Make a tracker with its own device. See ``create_device`` and ``tracker_on``."""
    return tracker_on(create_device(network, engine, kernels, options), options)


def create_device(
    network: Network, engine: Engine, kernels: Kernels, options: Options = DEFAULTS
) -> Device:
    """The device of an engine: the GPU or the FPGA where the whole frame runs there.

    Args:
        network, engine, kernels: as in ``Loaded``.
        options: uses ``log``, which gets the reason if the GPU does not take the whole frame. They
            are those of a further network, which a point prompt may need.
    """
    device = _device_of(network, engine, kernels, options)
    board = options.board if engine.bundle is None else engine.bundle.board
    others = options._replace(bundle=None, board=board, log=None)
    if engine.fabric is None:  # which holds one network at a time
        device.open_other = lambda name: create_device(*load(others._replace(network=name)), others)
    return device


def _device_of(network: Network, engine: Engine, kernels: Kernels, options: Options) -> Device:
    if engine.device is not None:
        from hotpath.runtime.devices.gpu import Gpu

        try:
            return Gpu(network, engine, kernels, log=options.log)
        except (NotOnGpu, NoCompiler) as error:
            if options.log is not None:
                options.log(f"crop and select run on the processor: {error}")
    if engine.fabric is not None:
        from hotpath.runtime.devices.fpga import Fpga

        return Fpga(network, engine, kernels)
    if kernels.slower:
        warnings.warn(cpu.SlowKernels(kernels.slower), stacklevel=users_level())
    return Processor(network, engine, kernels)


def tracker_on(
    device: Device, options: Options = DEFAULTS, witness: Optional[Device] = None
) -> Tracker:
    """Make a tracker of one target.

    Args:
        device: the ``Device``. Several trackers may share it.
        witness: the ``Device`` of a second network that follows the target, too; None without.
        options: uses ``log`` and ``recover``. ``log`` gets a sentence if ``recover`` asks for a
            search that is not possible, or the board for none.
    """
    recover, board = recovers(device, options), board_of(device.engine)
    if witness is None:
        tracker = Tracker(device, recover=recover)
    else:
        from hotpath.runtime.tracker.witness import WitnessedTracker

        other = tracker_on(witness, options._replace(log=None))
        tracker = WitnessedTracker(device, other, recover=recover)
    reason = tracker.why_no_search if options.recover else ""
    if recover is None:
        reason = f"the profile of {board.title} leaves it to the option recover"
    if reason and options.log is not None:
        options.log(f"a lost target is not searched for: {reason}")
    elif options.recover is False and why_no_search_on(device) and options.log is not None:
        options.log(f"recover=False changes nothing: {why_no_search_on(device)}")
    return tracker


def recovers(device: Device, options: Options) -> Optional[bool]:
    """Return ``recover`` of a ``Tracker``: as asked for, or as the board's profile says."""
    default = board_of(device.engine).search["default"]
    return RECOVER[default] if options.recover is None else options.recover


def board_of(engine: Engine) -> boards.Board:
    """Return the profile of this engine's hardware.

    It is the profile of the bundle's board. Without a bundle, or if that profile is missing, it is
    that of a computer, with an NVIDIA GPU if the engine runs on one.
    """
    if engine.bundle is not None:
        try:
            return boards.load_board(engine.bundle.board)
        except boards.UnknownBoard:
            pass
    return boards.load_board(boards.HOST if engine.device is None else boards.NVIDIA_GPU)

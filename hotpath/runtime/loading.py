"""Load a tracker from a name, a bundle or a board: open the files, the engine and the device.

load            -> Loaded: network, engine, kernels
  choose           -> Setup: board, network and bundle (``hotpath.runtime.choice``)
  open_setup       -> the engine: of a bundle, or for the network's own ONNX files
create_device   -> the device of that engine, which all its targets share
open_devices    -> the devices of a network and of its witness
tracker_on      -> the tracker of one target on them
"""

import warnings
from typing import NamedTuple, Optional, Tuple

from hotpath import boards
from hotpath.base.errors import NoCompiler, NotOnGpu
from hotpath.base.log import reporter, users_level
from hotpath.kernels import cpu
from hotpath.kernels.cpu.interface import CpuKernels
from hotpath.runtime import engines
from hotpath.runtime.choice import choose, choose_witness, describe_choice
from hotpath.runtime.devices.base import Device
from hotpath.runtime.devices.processor import CpuDevice
from hotpath.runtime.engines.base import Engine, Setup
from hotpath.runtime.engines.shared.precision import SUFFIX, int8_form, open_precision
from hotpath.runtime.errors import BadOption
from hotpath.runtime.networks import Network
from hotpath.runtime.options import AUTO, DEFAULTS, Options
from hotpath.runtime.tracker.tracker import Tracker, why_no_search_on

# what a board's profile says of lost targets -> ``recover`` of a ``Tracker``
RECOVER = {"search": True, "report": False, "nothing": None}


class LoadedNetwork(NamedTuple):
    """A network that is ready to run.

    Attributes:
        network: the ``Network``.
        engine: the engine that holds it; several trackers may share it.
        kernels: crop and select on the processor (see ``hotpath.kernels.cpu.load``).
    """

    network: Network
    engine: Engine
    kernels: CpuKernels


def load(options: Options) -> LoadedNetwork:
    """Load a network into an engine.

    Args:
        options: checked here, for everything that loads a tracker.

    Raises:
        BadOption, UnknownNetwork, BadNetwork, NoEngine, BadBundle, BundleMismatch: see
            ``hotpath.runtime.errors``.
    """
    return _load(choose(options))


def _load(setup: Setup) -> LoadedNetwork:
    engine = open_setup(setup)
    return LoadedNetwork(engine.network, engine, cpu.load())


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
    asked = options.precision
    if asked not in (AUTO, bundle.precision):
        bundle.mismatch("precision", bundle.precision, asked, precision=asked)
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

    ``log`` gets the sentence of what runs. A board's profile names the witness of the board's own
    network. If a bundle for it is missing, the network follows alone.

    Raises:
        BadOption: the networks cannot be each other's witness.
        BadOption, UnknownNetwork, …: as ``load``, also for a witness that the user names.
    """
    setup = choose(options)
    other, why = choose_witness(setup, options)
    log = options.log
    if log is not None and setup.bundle is not None:  # whose entries say it before it is opened
        log(describe_choice(setup, other, why))
    device = create_device(*_load(setup), options)
    try:
        witness = None if other is None else _open_witness(device, other, options)
    except BaseException:
        _close(device)
        raise
    if log is not None and setup.bundle is None:
        log(describe_choice(setup, other, why, device.engine))
    return device, witness


def _open_witness(device: Device, setup: Setup, options: Options) -> Device:
    """Open the device of a witness; errors as of ``open_devices``."""
    name, reason = setup.options.network, why_no_search_on(device)
    if device.engine.fabric is not None:
        reason = "an FPGA holds one network at a time"
    elif should_recover(device, options) is None:
        reason = "by the board's profile no target is lost here; set recover (--recover), too"
    if reason:
        raise _no_witness(name, reason)
    witness = create_device(*_load(setup), setup.options)
    reason = why_no_search_on(witness)
    networks = device.network, witness.network
    names = [each.name.split(SUFFIX)[0] for each in networks]
    files = [each.made_from or each.hashes_here(options.networks_dir) for each in networks]
    is_same = files[0] == files[1] and None not in files[0].values()  # under another name
    if names[0] == names[1] or is_same:
        reason = "it is the network that runs; name another one, such as --witness "
        reason += "kestrel" if names[0] != "kestrel" else "kestrel_fast"
    if reason:
        _close(witness)
        raise _no_witness(name, reason)
    device.beside = witness
    return witness


def _no_witness(name: object, reason: str) -> BadOption:
    return BadOption(f"{name} can't be the witness: {reason}", what="no witness")


def _close(device: Device) -> None:
    device.close()
    device.engine.close()


def create_tracker(
    network: Network, engine: Engine, kernels: CpuKernels, options: Options = DEFAULTS
) -> Tracker:
    """Make a tracker with its own device. See ``create_device`` and ``tracker_on``."""
    return tracker_on(create_device(network, engine, kernels, options), options)


def create_device(
    network: Network, engine: Engine, kernels: CpuKernels, options: Options = DEFAULTS
) -> Device:
    """The device of an engine: the GPU or the FPGA where the whole frame runs there.

    Args:
        network, engine, kernels: as in ``LoadedNetwork``.
        options: uses ``log``, which gets the reason if the GPU does not take the whole frame. They
            are those of a further network, which a point prompt may need.
    """
    device = _device_of(network, engine, kernels, options)
    others = options._replace(bundle=None, log=None)

    def open_other(name: str) -> Device:
        setup = choose(others._replace(network=name), engine.bundle)
        return create_device(*_load(setup), others)

    if engine.fabric is None:  # which holds one network at a time
        device.open_other = open_other
    return device


def _device_of(network: Network, engine: Engine, kernels: CpuKernels, options: Options) -> Device:
    if engine.device is not None:
        from hotpath.runtime.devices.gpu import GpuDevice

        try:
            return GpuDevice(network, engine, kernels, log=options.log)
        except (NotOnGpu, NoCompiler) as error:
            if options.log is not None:
                options.log(f"crop and select run on the processor: {error}")
    if engine.fabric is not None:
        from hotpath.runtime.devices.fpga import FpgaDevice

        return FpgaDevice(network, engine, kernels)
    if kernels.slower:
        warnings.warn(cpu.SlowKernels(kernels.slower), stacklevel=users_level())
    return CpuDevice(network, engine, kernels)


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
    recover, board = should_recover(device, options), board_of(device.engine)
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
        options.log(f"no search for a lost target: {reason}")
    elif options.recover is False and why_no_search_on(device) and options.log is not None:
        options.log(f"recover=False changes nothing: {why_no_search_on(device)}")
    return tracker


def should_recover(device: Device, options: Options) -> Optional[bool]:
    """Return ``recover`` of a ``Tracker``: as asked for, or as the board's profile says."""
    default = board_of(device.engine).search["default"]
    return RECOVER[default] if options.recover is None else options.recover


def board_of(engine: Engine) -> boards.Board:
    """Return the profile of this engine's hardware.

    It is the profile of the bundle's board. Without a bundle, or if that profile is missing, it is
    that of a computer, with an NVIDIA GPU if the engine runs on one.
    """
    if engine.bundle is not None and engine.bundle.board in boards.names():
        return boards.load_board(engine.bundle.board)
    return boards.load_board(boards.HOST if engine.device is None else boards.NVIDIA_GPU)

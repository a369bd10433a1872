"""What runs: the one rule that chooses the network, its bundle and its witness. It opens nothing.

An option decides that names something: ``bundle`` a folder, ``engine`` the engine of a network's
own files. Else a board runs the bundle of its network that was built last, or that of the network,
precision and engine that options name. Without one, the network's own files run where an engine for
them is installed, and the user gets the command that builds the bundle. ``describe_choice`` says
what runs.
"""

import contextlib
import os
import time
from typing import TYPE_CHECKING, List, Optional, Tuple

from hotpath import boards
from hotpath.base.errors import NoGpu
from hotpath.base.messages import make_command
from hotpath.runtime import engines
from hotpath.runtime.engines.base import Engine, Setup
from hotpath.runtime.engines.shared.precision import SUFFIX
from hotpath.runtime.errors import BadBundle, NoEngine, UnknownNetwork
from hotpath.runtime.network import Network
from hotpath.runtime.networks import (
    default_of,
    load_network,
)
from hotpath.runtime.options import AUTO, NO_WITNESS, Options, checked

if TYPE_CHECKING:
    from hotpath.runtime.networks.bundle import Bundle

DEVICE_TREE = "/proc/device-tree"  # of a board; a PC has none
NVIDIA_DRIVER = "/proc/driver/nvidia/version"  # on a PC and in a Jetson's containers


def choose(options: Options, beside: "Optional[Bundle]" = None) -> Setup:
    """Choose a network, and the bundle that it runs from.

    Args:
        options: what the user names.
        beside: the bundle of another network that runs, too. This one then comes from a bundle of
            the same board in the same folder. None for the first network.

    Raises:
        BadOption, UnknownNetwork, BadNetwork, NoEngine, BadBundle, BundleMismatch: see
            ``hotpath.runtime.errors``.
    """
    options = checked(options)
    if options.bundle is not None:
        return _named(options)
    if beside is not None:
        network = load_network(
            default_of(profile_of(beside)) if options.network is None else options.network
        )
        return _newest(options, beside.board, network, beside)
    is_auto = options.engine == AUTO
    if _may_have_bundles() if is_auto else not engines.find(options.engine).runs_files:
        candidates = boards_here()
        if is_auto:
            candidates = [each for each in candidates if not engines.find(each.engine).runs_files]
        if candidates:
            return _of_a_board(options, candidates)
    return choose_own_files(options)


def choose_own_files(options: Options) -> Setup:
    """Choose a network's own files, which an engine of this computer runs."""
    name = default_of(board_here()) if options.network is None else options.network
    return Setup(load_network(name), options=options)


def choose_witness(setup: Setup, options: Options) -> Tuple[Optional[Setup], str]:
    """Choose the second network that follows beside the one of ``setup``.

    Returns:
        (setup, why): that of the witness; without one None, and a phrase that says why.

    Raises:
        BadBundle: there is no bundle of a witness that the user names; or as ``choose``.
    """
    name, is_named = options.witness, options.witness is not None
    if not is_named and options.network is None and options.bundle is None:
        board = board_here() if setup.bundle is None else profile_of(setup.bundle)
        name = board.witness if board is not None else None
    if name is None or str(name).lower() in (NO_WITNESS, "false"):
        return None, "without a witness"
    options = options._replace(network=name, bundle=None, log=None)
    try:
        chosen = (
            choose_own_files(options) if setup.bundle is None else choose(options, setup.bundle)
        )
        return chosen, ""
    except UnknownNetwork as error:
        raise UnknownNetwork(f"the witness: {error}", what=error.what) from None
    except BadBundle as error:
        if is_named:
            raise
        return None, f"without its witness {name}: {error}"


def describe_choice(
    setup: Setup, witness: Optional[Setup], why: str, engine: Optional[Engine] = None
) -> str:
    """Say in one sentence what runs from where, in which precision, on what.

    Args:
        setup, witness, why: as chosen.
        engine: of a network's own files, which knows their precision; None with a bundle.
    """
    if engine is not None:
        names, about = [setup.network, witness and witness.network], engine.describe()
        text = _subject([network.name for network in names if network is not None])
        text += " in {precision} on {engine} {version}".format(**about)
        text += (f", on {engine.threads} threads" if engine.threads > 1 else "") + engine.why
        if witness is None:
            text += f", {why}"
        if setup.missing:
            return f"{setup.missing}; until then {text}, on the processor, which takes far longer"
        return text
    parts = [each.bundle for each in (setup, witness) if each is not None and each.bundle]
    names = [bundle.network["name"] for bundle in parts]
    places = {(bundle.folder.parent, _form(bundle)) for bundle in parts}
    if len(parts) == 2 and len(places) == 1:
        return f"{_subject(names)} from {parts[0].folder.parent}{_form(parts[0])}"
    texts = [f"from {bundle.folder}{_form(bundle)}" for bundle in parts]
    end = f"; its witness {_plain(names[1])} {texts[1]}" if witness is not None else f", {why}"
    return f"{_subject(names[:1])} {texts[0]}{end}"


def boards_here() -> List[boards.Board]:
    """The boards that this may be: several in a container on a Jetson, or on a foreign carrier.

    The GPU rules out those of another compute capability.
    """
    from hotpath.boards import detect  # reads the profiles of all boards

    detection = detect.detect()
    found = [] if detection.board is None else [detection.board]
    if not detection.sure:
        names = [board.name for board in found]
        found += [boards.load_board(name) for name in detection.candidates if name not in names]
    if len(found) > 1:
        from hotpath.kernels.cuda import driver

        with contextlib.suppress(NoGpu):
            here = (None, driver.describe_gpu().compute_capability)
            found = [each for each in found if each.gpu["compute_capability"] in here] or found
    return found


def board_here() -> Optional[boards.Board]:
    """Return the profile of this computer or board; None if it is not known."""
    if not os.path.exists(DEVICE_TREE):  # as on a PC
        return boards.load_board(boards.HOST)
    from hotpath.boards import detect

    return detect.detect().board


def profile_of(bundle: "Bundle") -> boards.Board:
    """Return the profile of a bundle's board; a computer's if there is none of that name."""
    try:
        return boards.load_board(bundle.board)
    except boards.UnknownBoard:
        return boards.load_board(boards.HOST)


def _may_have_bundles() -> bool:
    """Whether to look for bundles where nobody asks for one: a PC has them only for its GPU."""
    return any(os.path.exists(path) for path in (DEVICE_TREE, NVIDIA_DRIVER))


def _named(options: Options) -> Setup:
    """The bundle that the user names, where this may be its board."""
    from hotpath.runtime.networks.bundle import Bundle, precision_on  # a computer needs none

    bundle = Bundle(str(options.bundle))
    network = None if options.network is None else load_network(options.network)
    if options.engine not in (AUTO, bundle.engine):
        raise NoEngine(
            f"{bundle.folder} runs on {bundle.engine}, not on {options.engine}; name a bundle for "
            "it, or no engine",
            what="other engine",
        )
    families = ("computer", boards.NVIDIA) if bundle.board == boards.HOST else ()
    here = boards_here()
    fits = any(each.name == bundle.board or each.family in families for each in here)
    if here and not fits and bundle.board in boards.names():  # else of the user's own file
        precision = precision_on(here[0], bundle.precision)
        name = here[0].name
        bundle.mismatch("board", bundle.board, name, board=name, precision=precision)
    return Setup(network, bundle=bundle, options=options)


def _of_a_board(options: Options, candidates: List[boards.Board]) -> Setup:
    """The newest bundle of one of the boards that this may be, or the network's own files."""
    for board in candidates:
        network = load_network(default_of(board) if options.network is None else options.network)
        try:
            return _newest(options, board.name, network)
        except BadBundle as error:
            if error.what == "damaged":
                raise
            missing = error
    if len(candidates) > 1:
        names = [board.name for board in candidates]
        missing = BadBundle(
            f"there is no bundle of {network.name} for this board, which may be "
            f"{' or '.join(names)}; name it: `{make_command('engine', BOARD=names[-1])}`",
            what="no bundle",
        )
    if options.engine != AUTO or not engines.installed():
        raise missing
    return choose_own_files(options)._replace(missing=str(missing))


def _newest(
    options: Options, board: str, network: Network, beside: "Optional[Bundle]" = None
) -> Setup:
    """The bundle of a board and a network that was built last; errors as of ``choose``.

    Beside another bundle it is the last one of that one's precision, if there is any.
    """
    from hotpath.runtime.networks import bundle as bundles

    engine = None if options.engine == AUTO else options.engine
    precision = None if options.precision == AUTO else options.precision
    folder = None if beside is None else beside.folder.parent.parent
    rather = None if beside is None else beside.precision
    try:
        bundle = bundles.find(board, network, precision, engine, folder, rather)
    except BadBundle as error:
        if error.what == "no bundle":
            _refuse(board, engine, precision)
        raise
    return Setup(network, bundle=bundle, options=options)


def _refuse(name: str, engine: Optional[str], precision: Optional[str]) -> None:
    """Refuse an engine or a precision of which ``make engine`` builds nothing for a board."""
    if name not in boards.names():  # of the user's own file
        return
    board = boards.load_board(name)
    if engine not in (None, board.engine):
        raise NoEngine(
            f"{board.title} runs networks on {board.engine}, not on {engine}; name a bundle for "
            f"{engine}, or no engine",
            what="other engine",
        )
    built = engines.find(board.engine).precisions or board.precision["exists"]
    if precision is not None and precision not in built:
        why = board.precision["why"].get(precision, f"{board.engine} does not compute it")
        raise BadBundle(
            f"{precision.upper()} on {board.title}: {why}; leave --precision out",
            what="no bundle",
        )


def _subject(names: List[str]) -> str:
    return " and its witness ".join(map(_plain, names)) + (" run" if len(names) > 1 else " runs")


def _plain(name: str) -> str:
    """The name of a network without that of its INT8 form."""
    return name.split(SUFFIX)[0]


def _form(bundle: "Bundle") -> str:
    """When a bundle was built, for what, in which precision."""
    built = time.strftime("%Y-%m-%d", time.localtime(bundle.built_s))
    day = "today" if built == time.strftime("%Y-%m-%d") else f"on {built}"
    version = bundle.libraries.get(bundle.engine, "")
    return f", built {day}, in {bundle.precision} on {bundle.engine} {version}".rstrip()

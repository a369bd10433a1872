"""Choose the bundle that runs on a board; ``hotpath.runtime.choice`` has the whole rule."""

import contextlib
import time
from typing import TYPE_CHECKING, List, Optional, Tuple

from hotpath import boards
from hotpath.base.errors import NoGpu
from hotpath.base.messages import make_command
from hotpath.runtime import engines
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.engines.shared.precision import plain_name, subject
from hotpath.runtime.errors import BadBundle, NoEngine
from hotpath.runtime.network import Network
from hotpath.runtime.networks import default_of, load_network
from hotpath.runtime.options import AUTO, Options

if TYPE_CHECKING:
    from hotpath.runtime.networks.bundle import Bundle


def choose_bundle(
    options: Options, beside: "Optional[Bundle]" = None
) -> Tuple[Optional[Setup], str]:
    """Choose a bundle.

    Returns:
        (setup, missing), arguments and errors as of ``choice.choose``. If the network's own files
        are to run, ``setup`` is None, and ``missing`` says why a board has no bundle.
    """
    if options.bundle is not None:
        return _named_bundle(options), ""
    if beside is not None:
        network = load_network(
            default_of(profile_of(beside)) if options.network is None else options.network
        )
        return _newest(options, beside.board, network, beside), ""
    candidates = boards_here()
    if options.engine == AUTO:
        candidates = [each for each in candidates if not engines.find(each.engine).runs_files]
    return _of_a_board(options, candidates) if candidates else (None, "")


def profile_of(bundle: "Bundle") -> boards.Board:
    """Return the profile of a bundle's board; a computer's if there is none of that name."""
    try:
        return boards.load_board(bundle.board)
    except boards.UnknownBoard:
        return boards.load_board(boards.HOST)


def describe_bundles(setup: Setup, witness: Optional[Setup], why: str) -> str:
    """Say in one sentence which bundles run; arguments as of ``choice.describe_choice``."""
    parts = [each.bundle for each in (setup, witness) if each is not None and each.bundle]
    names = [bundle.network["name"] for bundle in parts]
    places = {(bundle.folder.parent, _form(bundle)) for bundle in parts}
    if len(parts) == 2 and len(places) == 1:
        return f"{subject(names)} from {parts[0].folder.parent}{_form(parts[0])}"
    texts = [f"from {bundle.folder}{_form(bundle)}" for bundle in parts]
    end = f"; its witness {plain_name(names[1])} {texts[1]}" if witness is not None else f", {why}"
    return f"{subject(names[:1])} {texts[0]}{end}"


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


def _named_bundle(options: Options) -> Setup:
    """The bundle that the user names, where this may be its board."""
    from hotpath.runtime.networks.bundle import Bundle, precision_on  # a computer needs none

    bundle = Bundle(str(options.bundle))
    network = None if options.network is None else load_network(options.network)
    if options.engine not in (AUTO, bundle.engine):
        raise NoEngine(
            f"{bundle.folder} runs on {bundle.engine}, not on {options.engine}; pass a bundle for "
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


def _of_a_board(options: Options, candidates: List[boards.Board]) -> Tuple[Optional[Setup], str]:
    """The newest bundle of one of the boards that this may be; as ``choose_bundle`` returns it."""
    for board in candidates:
        network = load_network(default_of(board) if options.network is None else options.network)
        try:
            return _newest(options, board.name, network), ""
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
    return None, str(missing)


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
            f"{board.title} runs networks on {board.engine}, not on {engine}; pass a bundle for "
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


def _form(bundle: "Bundle") -> str:
    """When a bundle was built, for what, in which precision."""
    built = time.strftime("%Y-%m-%d", time.localtime(bundle.built_s))
    day = "today" if built == time.strftime("%Y-%m-%d") else f"on {built}"
    version = bundle.libraries.get(bundle.engine, "")
    return f", built {day}, in {bundle.precision} on {bundle.engine} {version}".rstrip()

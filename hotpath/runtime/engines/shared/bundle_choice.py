"""Choose the bundle of a board, for ``hotpath.runtime.loading``."""

from typing import Optional

from hotpath import boards
from hotpath.base.commands import make
from hotpath.boards import detect
from hotpath.runtime import engines
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.errors import BadBundle, NoEngine
from hotpath.runtime.networks import bundle as bundles
from hotpath.runtime.networks import default_of, load_network
from hotpath.runtime.options import AUTO, Options


def with_bundle(options: Options) -> Setup:
    """Choose a bundle, and the board that it is for, where the user asks for one.

    Raises:
        UnknownNetwork, BadNetwork, NoEngine, BadBundle, BundleMismatch: see
            ``hotpath.runtime.errors``.
    """
    detection = detect.detect()
    board = boards.load_board(options.board) if options.board else detection.board
    network = None if options.network is None else load_network(options.network)
    precision = None if options.precision == AUTO else options.precision
    board_name = board.name if board is not None else None
    bundle = None if options.bundle is None else bundles.Bundle(options.bundle)
    if bundle is not None and not options.board and detection.may_be(bundle.board):
        board_name = bundle.board  # which a container hides
    device = overlay = None
    if options.simulate:
        if bundle is not None:
            bundle.check_board(board_name)
        elif board is not None and board.engine == "overlay":  # before its RTL is compiled
            bundles.find(board, network or load_network(default_of(board)), precision)
        device, overlay = options.simulate(board_name if bundle is None else bundle.board)
    if bundle is None:
        network = network or load_network(default_of(board))
        engine = None if options.engine == AUTO else options.engine
        if (
            board is not None
            and engine not in (None, board.engine)
            and not bundles.there(board.name, network.name, precision, engine)
        ):
            raise NoEngine(
                f"{board.title} runs networks on {board.engine}, not on {options.engine}; "
                f"name another board, a bundle that was built for {options.engine}, or no engine",
                what="other engine",
            )
        bundle = bundles.find(board, network, precision, engine=engine)
    if options.engine not in (AUTO, bundle.engine):
        raise NoEngine(
            f"{bundle.folder} runs on {bundle.engine}, not on {options.engine}; name a "
            "board or a bundle for it, or no engine",
            what="other engine",
        )
    return Setup(
        network, bundle=bundle, options=options, board=board_name, device=device, overlay=overlay
    )


def of_this_board(options: Options) -> Optional[Setup]:
    """Choose this board's bundle of the network that was built last, where nobody asks for one.

    Returns:
        None where the network's own files run: on a computer, whose engines take them, and without
        such a bundle. On a board ``log`` then gets the command that builds it.

    Raises:
        BadBundle: there is none and no engine for the network's own files; or one is damaged.
    """
    detection = detect.detect()
    names = [] if detection.board is None else [detection.board.name]
    names += [name for name in detection.candidates if not detection.sure and name not in names]
    candidates = [boards.load_board(name) for name in names]  # several only in a container
    candidates = [each for each in candidates if not engines.find(each.engine).runs_files]
    precision = None if options.precision == AUTO else options.precision
    for board in candidates:
        network = load_network(options.network or default_of(board))
        made = bundles.there(board.name, network.name, precision)
        if made:
            if options.log is not None:
                options.log(f"{network.name} runs from {made[0].folder}")
            return Setup(network, bundle=made[0], options=options, board=board.name)
    if not candidates:
        return None
    try:
        if len(candidates) > 1:
            raise BadBundle(
                f"there is no bundle of {network.name} for this board, and a container hides which "
                f"one it is; name it: `{make('engine', BOARD=candidates[-1].name)}`",
                what="no bundle",
            )
        bundles.find(candidates[0], network, precision)
    except BadBundle as error:
        if not engines.installed():
            raise
        if options.log is not None:
            options.log(f"{network.name} runs on the processor: {error}")
    return None

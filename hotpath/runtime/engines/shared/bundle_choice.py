"""Choose the bundle of a board, for ``hotpath.runtime.loading``."""

from hotpath import boards
from hotpath.boards import detect
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.errors import NoEngine
from hotpath.runtime.networks import bundle as bundles
from hotpath.runtime.networks import default_of, load_network
from hotpath.runtime.options import AUTO, Options


def with_bundle(options: Options) -> Setup:
    """Choose a bundle, and the board that it is for.

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
        if board is not None and options.engine not in (AUTO, board.engine):
            raise NoEngine(
                f"{board.title} runs networks on {board.engine}, not on {options.engine}; "
                f"name another board, a bundle that was built for {options.engine}, or no engine",
                what="other engine",
            )
        bundle = bundles.find(board, network, precision)
    if options.engine not in (AUTO, bundle.engine):
        raise NoEngine(
            f"{bundle.folder} runs on {bundle.engine}, not on {options.engine}; name a "
            "board or a bundle for it, or no engine",
            what="other engine",
        )
    return Setup(
        network, bundle=bundle, options=options, board=board_name, device=device, overlay=overlay
    )

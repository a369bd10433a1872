"""Build for TensorRT: on this board, on another one over ssh, or up to what the board must do."""

from typing import Callable, Optional

from boards import detect
from boards.build import on_board, prepare, prepared, remote
from boards.build.order import Order
from boards.errors import BuildFailed
from runtime import bundle


def build(order: Order, say: Callable[[str], None]) -> Optional[bundle.Bundle]:
    """Build the bundle. Return None when the board must go on; its command was printed then."""
    _check_dla(order)
    here = None if order.host else detect.detect().board
    is_here = here is not None and here.name == order.board.name
    folder = order.target.with_name(order.target.name + ".prepared")
    if not is_here or not prepared.is_current(folder, order):
        prepare.prepare(folder, order, say)
    if order.host:
        return remote.build(order.host, folder, order.target, order.force, order.ssh, say)
    if is_here:
        return on_board.build(folder, order.target, say)
    say(f"this is no {order.board.title}; copy this checkout there and run in it:")
    words = ["python3 -m boards.build --prepared", str(folder)]
    print(" ".join(words + (["--force"] if order.force else [])))
    return None


def _check_dla(order: Order) -> None:
    """Refuse a DLA core that no module of the board has, and a precision that no core has."""
    if order.dla is None:
        return
    if order.precision == "fp32":
        raise BuildFailed("a DLA core computes in FP16 and INT8 only; take PRECISION=fp16")
    cores = order.board.gpu["dla_cores"]
    most = max(cores.values()) if isinstance(cores, dict) else cores or 0
    if not 0 <= order.dla < most:
        raise BuildFailed(
            f"a {order.board.title} has {most:g} DLA cores, and none has the number {order.dla}; "
            "leave --dla out"
        )

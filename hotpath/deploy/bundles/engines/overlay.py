"""Build for an FPGA board, with the compiler in ``projects/fpga``."""

from typing import Callable

from hotpath.base import projects
from hotpath.deploy.bundles.order import Order
from hotpath.runtime.networks import bundle


def build(order: Order, say: Callable[[str], None]) -> bundle.Bundle:
    """Build the bundle.

    Raises:
        NoProject: the compiler is not installed.
        HotpathError: it can't build this order.
    """
    compiler = projects.require_entry_point("fpga.build", f"`{order.command('int8')}`").load()
    made: bundle.Bundle = compiler(order, say)
    return made

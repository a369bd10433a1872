"""How to build a bundle for an engine: one file for each engine, found by the engine's name.

A file has a function ``build(order, say)`` that returns the ``Bundle``, or None when something
remains to be done on the board. An engine without a file here runs the network's own ONNX files,
and ``boards.build.network_files`` builds for it.
"""

import difflib
import importlib
import importlib.util
from typing import Any, Callable, Optional

from boards import Board
from boards.build import network_files
from boards.errors import BuildFailed
from runtime import engines


def build_of(board: Board, engine: Optional[str] = None) -> Callable[..., Any]:
    """Return the function that builds bundles for a board.

    Args:
        board: the ``Board``.
        engine: name of the engine; None for the board's own.

    Raises:
        BuildFailed: there is no engine of that name.
    """
    names, name = engines.names(), engine or board.engine
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        where = "--engine" if engine else board.path
        raise BuildFailed(f"{where}: engine {name!r} is no file of runtime/engines{hint}")
    module = "boards.build.engines." + name
    if importlib.util.find_spec(module) is None:
        return network_files.build
    build: Callable[..., Any] = importlib.import_module(module).build
    return build

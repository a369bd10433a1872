"""Build bundles: one file for each engine, found by the engine's name.

A file has a function ``build(order, say)`` that returns the ``Bundle``, or None when something
remains to be done on the board. An engine without a file here runs the network's canonical ONNX
files, and ``build_files`` builds for it.
"""

import importlib
import importlib.util
import pathlib
import shutil
from typing import Any, Callable, Optional

from hotpath.base.messages import did_you_mean
from hotpath.base.toml_keys import Table
from hotpath.boards import Board
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.bundles.writer import BundleWriter
from hotpath.deploy.errors import BuildFailed
from hotpath.runtime import engines
from hotpath.runtime.networks import bundle, canonical
from hotpath.runtime.options import AUTO


def build_of(board: Board, engine: Optional[str] = None) -> Callable[..., Any]:
    """Return the function that builds bundles for a board.

    Args:
        board: the ``Board``.
        engine: name of the engine; None for the board's own.

    Raises:
        BuildFailed: there is no engine of that name.
    """
    names = engines.names()
    name = engine or board.engine
    if name not in names:
        hint = did_you_mean(name, names)
        where = "--engine" if engine else board.path
        raise BuildFailed(
            f"{where}: engine {name!r} is not a file of runtime/engines" + (hint and "; " + hint),
            what="unknown engine",
        )
    module = "hotpath.deploy.bundles.engines." + name
    if importlib.util.find_spec(module) is None:
        return build_files
    return importlib.import_module(module).build


def build_files(order: Order, say: Callable[[str], None]) -> bundle.Bundle:
    """Build for a computer: its canonical files, in the form that the engine takes; run them once.

    Raises:
        BuildFailed: the network's files or this computer don't have the precision.
    """
    paths = order.paths()
    _check_precision(order, paths)
    about = _try(order, paths)
    with BundleWriter(order.target) as writer:
        graphs = canonical.load(order.network, paths, engines.find(about["engine"]).form(), say)
        for path in pathlib.Path(graphs.search.path).parent.iterdir():
            shutil.copy(str(path), str(writer.folder / path.name))
        values = order.entries(
            paths,
            engine=about["engine"],
            libraries={about["engine"]: about["version"]},
            run={"graphs": canonical.DESCRIPTION},
        )
        return writer.finish(values, order.network.path)


def _try(order: Order, paths: Table) -> Table:
    """Run one frame on the engine and return the engine's description."""
    name = order.engine
    if name in engines.PREFERRED and not engines.find(name).is_installed():
        name = AUTO  # the files are the same
    engine = engines.create(name, order.network, paths)
    engine.search(engine.exemplar() if len(paths) > 1 or "whole" in paths else ())
    about: Table = engine.describe()
    engine.close()
    return about


def _check_precision(order: Order, paths: Table) -> None:
    """Refuse a precision that the network's own files don't have."""
    from hotpath.graphs import convert, models

    quantised = any(convert.is_quantised(models.read(path)) for path in paths.values())
    network = order.network
    if order.precision == "fp16":
        why = order.board.precision["why"].get("fp16", "it gains nothing")
        raise BuildFailed(f"FP16 on {order.board.title}: {why}; run `{order.command('fp32')}`")
    if order.precision == "int8" and not quantised:
        raise BuildFailed(
            f"{network.name} is not INT8; run `hotpath int8 --network {network.given} "
            f"--clips DIR` with a folder of annotated clips, and build "
            f"out/int8/{network.name}-int8.toml"
        )
    if order.precision != "int8" and quantised:
        command = bundle.build_command(order.board.name, network.path, "int8")
        raise BuildFailed(f"{network.name} is INT8; run `{command}`")

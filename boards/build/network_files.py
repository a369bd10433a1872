"""Build for a computer: copy the network's own ONNX files, and run them once."""

import shutil
from typing import Any, Callable, Dict

from boards.build.order import Order
from boards.build.writer import Writer
from boards.errors import BuildFailed
from runtime import bundle


def build(order: Order, say: Callable[[str], None]) -> bundle.Bundle:
    """Build the bundle.

    Raises:
        BuildFailed: the network's files or this computer don't have the precision.
    """
    paths = order.paths()
    _check_precision(order, paths)
    about = _try(order, paths)
    with Writer(order.target) as writer:
        files = {part: path.name for part, path in paths.items()}
        for path in paths.values():
            shutil.copy(str(path), str(writer.folder / path.name))
        toml = order.network.name + ".toml"
        shutil.copy(str(order.network.path), str(writer.folder / toml))
        return writer.finish(
            {
                "network": bundle.identity(order.network, paths),
                "board": order.board.name,
                "engine": about["engine"],
                "precision": order.precision,
                "libraries": {about["engine"]: about["version"]},
                "compute_capability": None,
                "calibration_sha256": None,
                "settings": {"provider": order.provider},
                "run": {"files": files},
            }
        )


def _try(order: Order, paths: Dict[str, Any]) -> Dict[str, Any]:
    """Run one frame on the engine and return the engine's description."""
    from runtime import engines
    from runtime.engines.base import Setup

    if order.provider:
        setup = Setup(order.network, paths, settings={"provider": order.provider})
        engine = engines.open_engine("onnxruntime_gpu", setup)
    else:
        is_here = engines.find(order.engine).is_installed()
        engine = engines.create(order.engine if is_here else "auto", order.network, paths)
    engine.search(engine.exemplar() if len(paths) > 1 or "whole" in paths else ())
    about: Dict[str, Any] = engine.describe()
    engine.close()
    return about


def _check_precision(order: Order, paths: Dict[str, Any]) -> None:
    """Refuse a precision that the network's own files don't have."""
    from runtime.graphs import convert, models

    quantised = any(convert.is_quantised(models.read(path)) for path in paths.values())
    network = order.network
    if order.precision == "fp16":
        why = order.board.precision["why"].get("fp16", "it gains nothing")
        raise BuildFailed(
            "FP16 on {}: {}; run `{}`".format(order.board.title, why, order.command("fp32"))
        )
    if order.precision == "int8" and not quantised:
        raise BuildFailed(
            f"{network.name} is not INT8; run `python -m calib.int8 --network {network.name} "
            "--out out/int8` and build "
            f"out/int8/{network.name}-int8.toml"
        )
    if order.precision != "int8" and quantised:
        command = bundle.command(order.board.name, network.path, "int8")
        raise BuildFailed(f"{network.name} is INT8; run `{command}`")

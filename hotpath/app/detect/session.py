"""Run a detector's ONNX file on a processor, with ONNX Runtime or OpenVINO."""

import importlib
import importlib.util
import pathlib
import threading
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from hotpath.base.broken_libraries import why_broken
from hotpath.base.messages import make_command
from hotpath.base.python_end import uninterrupted
from hotpath.runtime.engines import onnxruntime, openvino
from hotpath.runtime.errors import BadNetwork, NoEngine
from hotpath.runtime.networks import onnx_budget

Runner = Callable[[Dict[str, np.ndarray]], List[np.ndarray]]


@uninterrupted
def open_session(path: pathlib.Path, threads: int) -> Tuple[List[str], Runner]:
    """Load an ONNX file.

    Args:
        path: path of the file.
        threads: threads of one call.

    Returns:
        (names of the inputs, function of a dict of name -> array that gives the outputs in order).

    Raises:
        NoEngine: neither library is installed.
        BadNetwork: the file is over the budget, or can't be loaded.
    """
    _check(path)
    for library, opened in (("onnxruntime", _onnxruntime), ("openvino", _openvino)):
        if importlib.util.find_spec(library) is None:
            continue
        try:
            return opened(str(path), threads)
        except ImportError as error:
            why_not = why_broken(library)
            why = f"{why_not.why}; run `{why_not.command}`" if why_not else str(error)
            raise NoEngine(f"{library} can't be loaded: {why}") from None
        except Exception as error:  # their classes are private and differ by version
            text = (str(error).strip().splitlines() or [repr(error)])[0]
            raise BadNetwork(f"{library} can't load {path}: {text}", what="not loaded") from None
    raise NoEngine(
        f"a detector needs ONNX Runtime or OpenVINO; run `{make_command('setup', ALSO='host')}`"
    )


def _check(path: pathlib.Path) -> None:
    """Refuse a file over the budget, and where ``onnx`` is installed one with too large tensors."""
    onnx_budget.check(path)
    if importlib.util.find_spec("onnx") is not None:
        from hotpath.graphs import models  # needs onnx

        models.check_sizes(path)


def _onnxruntime(path: str, threads: int) -> Tuple[List[str], Runner]:
    library: Any = importlib.import_module("onnxruntime")
    session = onnxruntime.open_session(library, path, threads)
    return [entry.name for entry in session.get_inputs()], lambda feeds: session.run(None, feeds)


def _openvino(path: str, threads: int) -> Tuple[List[str], Runner]:
    compiled = openvino.compile_on_cpu(openvino.load_library(), path, threads)
    turn = threading.Lock()  # a compiled model has one request, and two threads may ask

    def run(feeds: Dict[str, np.ndarray]) -> List[np.ndarray]:
        with turn:
            results = compiled(feeds)
            return [results[port].copy() for port in compiled.outputs]

    return [port.any_name for port in compiled.inputs], run

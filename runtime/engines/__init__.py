"""Executors of networks: one file each, found by its file name, all with the same interface.

A module has a class ``Engine(network, paths, threads)``:

    engine.exemplar_crop     (1, 3, e, e) array to write the exemplar's picture into
    engine.search_crop       (1, 3, s, s) array to write a frame's search region into
    engine.exemplar()        -> features, a tuple of arrays for one target to keep
    engine.search(features)  -> maps, a tuple of arrays, valid until the next call
    engine.seen              array of the search region's features in the last call, or None (see
                                ``runtime.graphs.search_features``); may be left out
    engine.batch(count)      -> a ``batch.Batch``, which searches for so many targets in one call;
                                None where the graph does not allow it; may be left out
    engine.lanes(count)      -> so many objects with ``search_crop``, ``search`` and ``seen``, which
                                share ``engine.threads`` and may search at once, each in a thread of
                                its own; may be left out
    engine.describe()        -> dict: what runs where, at which precision, in which versions
    engine.close()

Nothing is allocated per frame: batches and lanes are compiled when first asked for, and kept.
"""

import importlib
import importlib.util

from runtime.errors import NoEngine

# The first one installed is the default: OpenVINO took 0.72, 0.91, 0.84 of ONNX Runtime's time on
# nanotrack_v1, _v2 and _v3 (fp32, one thread, AVX-512 computer, in one run).
PREFERENCE = ("openvino", "onnxruntime")

# A second thread takes a tenth off these small networks on a free core, multiplies their time on
# a busy one.
THREADS = 1


def installed():
    """Names of the engines whose library is installed, the preferred one first."""
    return [name for name in PREFERENCE if importlib.util.find_spec(name) is not None]


def create(name, network, paths, threads=None):
    """Load a network into an engine.

    Args:
        name: "auto", or one of ``PREFERENCE``.
        network: the ``Network``.
        paths: dict of part -> path, from ``network.locate()``.
        threads: of the network's execution; None for one.

    Raises:
        NoEngine: the library is not installed.
        BadNetwork: the files are not what the TOML says.
    """
    there = installed()
    if name == "auto":
        return _first_that_loads(there)(network, paths, threads or THREADS)
    if name not in PREFERENCE:
        raise NoEngine(
            "no engine is called {!r}; there are: {}".format(name, ", ".join(PREFERENCE))
        )
    elif name not in there:
        raise NoEngine(
            "{0} is not installed; run `pip install {0}`, or use --engine {1}".format(
                name, there[0] if there else "auto after installing one"
            )
        )
    return _load(name)(network, paths, threads or THREADS)


def _first_that_loads(names):
    """The class of the preferred engine whose library is not broken."""
    reasons = []
    for name in names:
        try:
            return _load(name)
        except NoEngine as error:
            reasons.append(str(error))
    raise NoEngine(
        "; ".join(reasons)
        or "no engine is installed; run `pip install openvino` or `pip install onnxruntime`"
    )


def _load(name):
    """An engine's class; its library is imported here."""
    try:
        return importlib.import_module("runtime.engines." + name).Engine
    except ImportError as error:
        raise NoEngine(
            "the engine {} can't be loaded: {}; install its library anew, and `pip install onnx` "
            "with it".format(name, error)
        ) from None

"""The base of engines on a processor: they run one window, or several in one call.

Such an engine binds a model to fixed arrays. This file has everything that runs in a frame.
"""

import threading
from typing import Any, Dict, List, Optional, Sequence, Tuple

from hotpath.runtime.engines import base
from hotpath.runtime.networks import canonical


class CpuBatch(base.Batch):
    """Searches in several windows in one call of a graph for that many windows.

    Args:
        graphs: the network's graphs, see ``CpuEngine.read_graphs``.
        bound: the model for ``count`` windows, from ``CpuEngine.bind``.
        count: number of windows.
    """

    def __init__(self, graphs: Any, bound: Any, count: int) -> None:
        arrays = bound.arrays
        self.crops = _shares(arrays[graphs.image[1]], count)
        self.search_features = (None,) * count
        if graphs.search_features is not None:
            self.search_features = _shares(arrays[graphs.search_features], count)
        self._maps = tuple(zip(*[_shares(arrays[name], count) for name in graphs.maps]))
        self._inputs = tuple(zip(*[_shares(arrays[name], count) for name in graphs.features]))
        self._loaded: List[Any] = [None] * count
        self._bound = bound

    def start(self, number: int, features: Any) -> None:
        if features is not self._loaded[number]:
            for array, values in zip(self._inputs[number], features):
                array[...] = values
            self._loaded[number] = features

    def finish(self) -> Sequence[Tuple[Any, ...]]:
        self._bound.run()
        return self._maps


def _shares(array: Any, count: int) -> Tuple[Any, ...]:
    """Return each window's part of an array, as views of equal shapes."""
    length = len(array) // count
    return tuple(array[length * i : length * (i + 1)] for i in range(count))


class CpuEngine(base.Engine):
    """An engine on a processor. A subclass defines ``bind``.

    Class attributes:
        processor: the hardware, for ``describe``.
    """

    runs_files = True
    processor = "CPU"
    _library: Any  # the module that runs the network; a subclass imports it

    def __init__(self, setup: base.Setup) -> None:
        super().__init__(setup)
        graphs = self._graphs = self.read_graphs(setup)
        self._exemplar = self.bind(graphs.exemplar, self.threads)
        self.exemplar_crop = self._exemplar.arrays[graphs.image[0]]
        bound = self._bound = self.bind(graphs.search, self.threads)
        self.search_crop = bound.arrays[graphs.image[1]]
        self.search_features = bound.arrays.get(graphs.search_features)
        self._maps = tuple(bound.arrays[name] for name in graphs.maps)
        taken = [name for name in graphs.features if name in bound.arrays]  # a backbone takes none
        self._inputs = tuple(bound.arrays[name] for name in taken)
        self._loaded: Any = None
        self.exemplar_box = self._exemplar.arrays.get("exemplar_box")
        self._batches: Dict[int, CpuBatch] = {}
        self._failure: Optional[Exception] = None
        self._making: Optional[threading.Thread] = None
        self._closed = False
        self.windows = max(graphs.several, default=1)

    @classmethod
    def form(cls) -> str:
        return canonical.BYTES

    def bind(self, model: Any, threads: int) -> Any:
        """Bind a model to fixed arrays.

        Args:
            model: one of the models that ``read_graphs`` returns.
            threads: threads of one call.

        Returns:
            An object with ``arrays``, a dict of each input's and output's name -> array, and
            ``run()``, which releases Python's lock while it waits for the result.
        """
        raise NotImplementedError

    def describe(self) -> Dict[str, Any]:
        """Return a dict: engine, library version, device, precision, threads."""
        return {
            "engine": self.name,
            "version": self.version,
            "device": self.processor,
            "precision": self._graphs.precision,
            "threads": self.threads,
        }

    @property
    def version(self) -> Optional[str]:
        """Return the version of the library."""
        return str(self._library.__version__)

    def exemplar(self) -> Tuple[Any, ...]:
        self._exemplar.run()
        return tuple(self._exemplar.arrays[name].copy() for name in self._graphs.features)

    def search(self, features: Any) -> Tuple[Any, ...]:
        if features is not self._loaded:
            for array, values in zip(self._inputs, features):
                array[...] = values
            self._loaded = features
        self._bound.run()
        return self._maps

    def batch(self, count: int) -> base.Batch:
        if count not in self._batches:
            self.prepare()
            assert self._making is not None, "prepare has started it"
            self._making.join()
            if self._failure is not None:
                raise self._failure.with_traceback(None)  # it grows, and keeps frames
        return self._batches[count]

    def prepare(self) -> None:
        """Begin to compile the batches in a thread, while frames continue."""
        if self._making is None and self.windows > 1:
            self._making = threading.Thread(target=self._make, name="batches")
            self._making.start()

    def _make(self) -> None:
        try:
            for count, model in self._graphs.several.items():
                if self._closed:
                    return
                bound = self.bind(model, self.threads)
                self._batches[count] = CpuBatch(self._graphs, bound, count)
        except Exception as error:  # raised where the batch is asked for
            self._failure = error

    def close(self) -> None:
        """Release the engine's memory."""
        self._closed = True
        if self._making is not None:
            self._making.join()
        self._exemplar = self._bound = None
        self._batches = {}

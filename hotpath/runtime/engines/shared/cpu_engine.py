"""Base class of engines on a processor, which run one window per call.

Such an engine binds a model to fixed arrays. This file has everything that runs in a frame.
"""

import ctypes
import os
import re
from typing import Any, Dict, Optional, Tuple

from hotpath.runtime.engines import base
from hotpath.runtime.engines.shared import arithmetic
from hotpath.runtime.errors import NoEngine
from hotpath.runtime.networks import canonical
from hotpath.runtime.options import INT8


def numbers_of(version: str) -> Tuple[int, ...]:
    """The first two numbers of a library's version."""
    return tuple(map(int, re.findall("[0-9]+", version)[:2]))


class CpuEngine(base.Engine):
    """An engine on a processor. A subclass defines ``bind``.

    Class attributes:
        processor: the hardware, for ``describe``.
        exact_from: first version of the library that computes INT8 networks rightly where the
            processor's 8-bit products saturate.
    """

    runs_files = True
    processor = "CPU"
    exact_from: Tuple[int, ...] = ()
    _library: Any  # the module that runs the network; a subclass imports it

    def __init__(self, setup: base.Setup) -> None:
        super().__init__(setup)
        self._process = os.getpid()
        self.threads = setup.options.threads or arithmetic.default_threads()
        graphs = self._graphs = self.read_graphs(setup)
        if graphs.precision == INT8 and arithmetic.saturates():
            if numbers_of(self.version or "") < self.exact_from:
                raise NoEngine(
                    f"{self.name} {self.version} computes INT8 wrongly on this processor, which "
                    "has no VNNI; take precision fp32",
                    what="saturates",
                )
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

    def close(self) -> None:
        """Release the engine's memory. A forked process keeps it until it ends."""
        if os.getpid() != self._process:  # the library would wait for its threads, which are gone
            for model in (self._exemplar, self._bound):  # so it is never freed here
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(model))
        self._exemplar = self._bound = None

"""What executors on a processor share: the search for one target, for several, side by side.

An executor gives a function that binds a model to fixed arrays; all that is called per frame is
here.
"""

import numpy as np

from runtime.graphs import assemble, batch, search_features


class Lane:
    """Looks for one target at a time; several lanes may at once, each called by its own thread.

    Args:
        graphs: the ``Graphs`` of one target.
        bound: the executor's own, of the search graph: ``arrays`` (dict of each input's and
            output's name -> array), and ``run``, which waits for the result without Python's lock.
        seen_name: of the output that ``runtime.graphs.search_features`` added; None for none.

    Attributes:
        search_crop, seen: as in ``runtime.engines``.
    """

    def __init__(self, graphs, bound, seen_name=None):
        self.search_crop = bound.arrays[graphs.image[1]]
        self.seen = bound.arrays.get(seen_name)
        self._maps = tuple(bound.arrays[name] for name in graphs.maps)
        taken = [name for name in graphs.features if name in bound.arrays]  # a backbone takes none
        self._slots = tuple(bound.arrays[name] for name in taken)
        self._loaded = None
        self._bound = bound

    def search(self, features):
        """Maps of the picture in ``search_crop`` for a target's ``features``."""
        if features is not self._loaded:
            for slot, array in zip(self._slots, features):
                np.copyto(slot, array)
            self._loaded = features
        self._bound.run()
        return self._maps


class OnCpu(Lane):
    """An engine (see ``runtime.engines``).

    Args:
        network: the ``Network``.
        paths: dict of part -> path.
        threads: of one call.
        bind: function (model, threads) -> ``bound``, as a ``Lane`` takes it.
    """

    def __init__(self, network, paths, threads, bind):
        self.threads = threads
        self._graphs, self._seen_name = search_features.with_seen(
            network, assemble.build(network, paths)
        )
        self._bind = bind
        self._exemplar = bind(self._graphs.exemplar, threads)
        self.exemplar_crop = self._exemplar.arrays[self._graphs.image[0]]
        self._batches, self._lanes = {}, {}
        super().__init__(self._graphs, bind(self._graphs.search, threads), self._seen_name)

    def exemplar(self):
        """Features of the picture in ``exemplar_crop``: arrays for one target to keep."""
        self._exemplar.run()
        return tuple(self._exemplar.arrays[name].copy() for name in self._graphs.features)

    def batch(self, count):
        """A ``Batch`` for so many targets, compiled once; None where the graph allows none."""
        if count not in self._batches:
            model = batch.several(self._graphs.search, count)
            self._batches[count] = model and batch.Batch(
                self._graphs, self._bind(model, self.threads), count, self._seen_name
            )
        return self._batches[count]

    def lanes(self, count):
        """So many ``Lane``s that share the threads, compiled once."""
        if count not in self._lanes:
            threads = max(1, self.threads // count)
            bounds = [self._bind(self._graphs.search, threads) for _ in range(count)]
            self._lanes[count] = tuple(
                Lane(self._graphs, bound, self._seen_name) for bound in bounds
            )
        return self._lanes[count]

    def close(self):
        """Give the executor's memory back."""
        self._exemplar = self._bound = None
        self._batches, self._lanes = {}, {}

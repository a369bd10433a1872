"""Keep the results of a long calibration on disk, so that nothing is computed twice."""

import hashlib
import json
import os
import pickle


class Store:
    """Holds figures and arrays under a hash of all that they depend on.

    Args:
        folder: where the results are kept; it is created when missing.
    """

    def __init__(self, folder):
        self.folder = folder
        self.computed = 0  # results that were not kept before
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "figures.jsonl"
        self._figures = {key: value for key, _, value in entries(self._path)}

    def figure(self, name, depends, compute):
        """Return a value that JSON can hold; ``compute`` is called once."""
        key = _key(name, depends)
        if key not in self._figures:
            self._figures[key] = compute()
            self.computed += 1
            with open(self._path, "a") as file:
                file.write(json.dumps([key, name, self._figures[key]]) + "\n")
        return self._figures[key]

    def value(self, name, depends, compute):
        """Return any value of NumPy and Python; ``compute`` is called once."""
        path = self.folder / (_key(name, depends) + ".pickle")
        if path.is_file():
            with open(path, "rb") as file:
                return pickle.load(file)  # our own file, in the user's own folder
        value = compute()
        self.computed += 1
        part = path.with_suffix(".part")
        with open(part, "wb") as file:
            pickle.dump(value, file)
        os.replace(part, path)
        return value


def _key(name, depends):
    text = json.dumps([name, depends], sort_keys=True, default=str)
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def entries(path):
    """Yield (key, name, value) of each line of a file of results."""
    if not path.is_file():
        return
    for line in path.read_text().splitlines():
        try:
            key, name, value = json.loads(line)
        except ValueError:  # a kill cut this line short
            continue
        yield key, name, value

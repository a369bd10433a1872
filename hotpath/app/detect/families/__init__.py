"""Families of detectors: one file for each family, found by its name.

A family has ``KEYS``, the keys of a TOML's ``[detection]`` that are its own, and ``decode``.

    decode(outputs, description) -> (boxes, scores, classes)

``outputs`` is a list of float or integer arrays as the network gives them. ``boxes`` is (n, 4)
float (x, y, w, h), 0-based pixels of the network's input. ``scores`` is (n,) float, 0 to 1, and
``classes`` (n,) int, numbers of the description's classes.
"""

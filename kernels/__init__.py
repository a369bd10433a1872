"""The hot path, once per kind of hardware, all held to the definitions in ``kernels/golden.py``."""

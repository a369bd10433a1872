"""The hot path for each kind of hardware. Tests compare it with ``kernels/golden.py``."""

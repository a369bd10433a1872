"""Drives the accelerator that runs a tracker's frame in programmable logic.

``tables.toml`` is the contract: registers and commands. How the accelerator is made is ``design``.
"""

"""Drives the accelerator that runs a tracker's frame in programmable logic.

``tables.toml`` defines registers and commands. ``projects/fpga`` of a clone has the accelerator.
"""

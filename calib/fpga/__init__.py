"""What the FPGA engine needs of calibration: compiled networks, their ranges and their cycles.

The compiler itself is ``hotpath.kernels.fpga.design.compiler``; these modules load networks and
tables of ranges for it.
"""

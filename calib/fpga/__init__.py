"""What the FPGA engine needs of calibration: compiled networks, exported weights, evaluation.

The compiler itself is ``kernels.fpga.design.compiler``; these modules load networks, tables of
ranges and clips for it.
"""

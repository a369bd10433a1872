"""The netlist as blocks of a 7-series FPGA with their delays, and the chip of a PYNQ-Z2, as text.

``python -m tests.kernels.fpga.route`` places one on the other and routes it.
"""

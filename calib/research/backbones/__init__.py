"""Measures what a backbone costs: on this computer's engines, and in cycles on an FPGA."""

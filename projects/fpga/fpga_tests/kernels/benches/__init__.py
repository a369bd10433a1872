"""Test benches of the fabric's modules, for cocotb; ``tests/kernels/fpga`` runs them."""

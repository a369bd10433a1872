"""Test benches of the fabric's modules, for cocotb; ``tests/test_fpga_*.py`` run them."""

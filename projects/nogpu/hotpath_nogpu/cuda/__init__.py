"""A fake NVIDIA GPU for tests, which runs kernels on the CPU; see ``build`` and driver.h."""

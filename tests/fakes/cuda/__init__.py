"""A processor in the place of an NVIDIA GPU, for tests; see ``build`` and driver.h."""

"""An NVIDIA GPU in the place of which a processor stands, for tests; see ``build`` and driver.cpp."""

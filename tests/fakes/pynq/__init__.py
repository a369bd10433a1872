"""A board at the other end of a network, as PYNQ.remote's client expects it."""

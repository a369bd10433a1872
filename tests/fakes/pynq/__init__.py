"""A fake board behind a network, with the services that PYNQ.remote's client expects."""

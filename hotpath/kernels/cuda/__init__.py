"""The hot path on an NVIDIA GPU: ``device.open_device``, then ``frame.Frame``."""

"""The hot path on an NVIDIA GPU: see ``frame.Frame`` for a whole frame, ``device.open`` for a GPU."""

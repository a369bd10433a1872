"""Exports checkpoints of other people's trackers to our ONNX files and TOML."""

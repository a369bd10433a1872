"""The detectors that are described here: a TOML each."""

"""The re-identification networks that are described here: a TOML each."""

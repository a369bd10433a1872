"""The names of the classes of public data sets: a TOML each."""

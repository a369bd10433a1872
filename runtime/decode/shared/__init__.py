"""What the families of ``runtime.decode`` share; no family stands in this folder."""

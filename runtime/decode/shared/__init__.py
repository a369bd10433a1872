"""Code that the families of ``runtime.decode`` share. No family is in this folder."""

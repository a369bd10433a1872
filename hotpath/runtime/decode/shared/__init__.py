"""Code that the families of ``hotpath.runtime.decode`` share. No family is in this folder."""

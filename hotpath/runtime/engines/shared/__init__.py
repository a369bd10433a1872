"""Code that engines share: base classes for processor and GPU, and the files of bundles."""

"""What engines share: their bases on a processor and on a GPU, and the files of bundles."""

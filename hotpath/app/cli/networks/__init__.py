"""The commands of ``hotpath networks`` that run engines: show, check and add."""

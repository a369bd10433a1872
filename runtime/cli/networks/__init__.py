"""The commands of ``python -m runtime.networks`` that run engines: show, check and add."""

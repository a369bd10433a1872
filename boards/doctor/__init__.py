"""What ``python -m boards`` says of a machine: what is missing, known traps, the next command."""

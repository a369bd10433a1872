"""Training, choice of checkpoints, exports; no wheel has it, and no other folder imports it."""

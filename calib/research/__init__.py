"""Training, backbones, long films, exports and sweeps; no other folder imports this one."""

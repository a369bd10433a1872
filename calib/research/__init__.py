"""Training, long films and exports; no other folder imports this one."""

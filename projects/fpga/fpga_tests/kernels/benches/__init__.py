"""What tests put into an engine's memory: data, commands, and random programs of them."""

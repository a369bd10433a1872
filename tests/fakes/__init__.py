"""Stand-ins for hardware and drivers, held to the real libraries."""

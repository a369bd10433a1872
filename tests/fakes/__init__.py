"""Stand-ins for hardware and drivers. Tests compare them with the real libraries."""

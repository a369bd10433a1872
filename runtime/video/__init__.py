"""Where frames come from and where results go: sources, result files, videos, pictures, window."""

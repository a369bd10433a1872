"""The report of a run: one HTML file with a time line, pictures, curves and settings."""

"""Input and output of a run: sources of frames, result files, videos, pictures, window."""

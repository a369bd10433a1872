"""The search for a lost target: which windows to search, and how to judge their contents."""

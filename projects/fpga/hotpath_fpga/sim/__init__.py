"""Simulated boards: the engine as a NumPy model or as RTL, behind PYNQ's library.

Off the board only (Python 3.10+). ``device`` is the board that ``pynq`` sees, ``rtl`` the fabric.
"""

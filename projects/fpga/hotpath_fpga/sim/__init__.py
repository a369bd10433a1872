"""Boards that are not there: the engine as NumPy model or as simulated RTL, behind PYNQ's library.

Off the board only (Python 3.10+). ``device`` is the board that ``pynq`` sees, ``rtl`` the fabric.
"""

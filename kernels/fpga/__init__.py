"""Runs a tracker's frame in programmable logic: an INT8 engine that executes a list of commands.

``tables.toml`` is the contract (registers, commands), ``model.py`` the definition of what each
command does, bit for bit; ``rtl`` does it in fabric, ``compiler`` writes the commands, ``sim`` runs
either behind the vendor's own library, ``vivado`` builds the overlay.
"""

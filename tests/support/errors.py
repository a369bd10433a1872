"""Errors of ours, by class and attributes."""

import contextlib

import pytest


@contextlib.contextmanager
def refusal(kind, what, where="", command=""):
    """Expect an error of a class and cause, about a thing, that advises a command.

    Args:
        kind: its class, or several.
        what: the whole attribute of that name.
        where, command: text that the attributes of these names hold.
    """
    with pytest.raises(kind) as caught:
        yield caught
    error = caught.value
    assert error.what == what, (error.what, str(error))
    assert str(where) in error.where, (error.where, str(error))
    assert command in error.command, (error.command, str(error))

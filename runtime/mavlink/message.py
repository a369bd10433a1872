"""A decoded MAVLink message as plain values; knows no library."""

from collections import namedtuple

Message = namedtuple("Message", "name fields system component")
Message.__doc__ = """A decoded message.

Attributes:
    name: such as "HEARTBEAT".
    fields: dict of field -> number, bytes, or list of numbers; the field's names are MAVLink's.
    system, component: who sent it.
"""

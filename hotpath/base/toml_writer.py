"""Writes the TOML files that people edit: of networks, of calibration."""

import typing


def to_toml(table: "typing.Dict[str, typing.Any]", note: str) -> str:
    """Write a table as TOML.

    Args:
        table: values, sections (dict), and repeated sections (list of dicts).
        note: comment above it; may have several lines.

    Returns:
        the file's text, one key a line.
    """
    lines = ["# " + line for line in note.splitlines()]
    plain = {k: v for k, v in table.items() if not _is_section(v)}
    lines += _lines(plain)
    for name, value in table.items():
        if isinstance(value, dict):
            lines += ["", f"[{name}]"] + _lines(value)
        elif _is_section(value):
            for entry in value:
                lines += ["", f"[[{name}]]"] + _lines(entry)
    return "\n".join(lines) + "\n"


def _is_section(value: object) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and isinstance(value[0], dict)
    )


def _lines(section: "typing.Dict[str, typing.Any]") -> "typing.List[str]":
    return [f"{key} = {toml_value(value)}" for key, value in section.items()]


def toml_value(value: object) -> str:
    """A value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, (list, tuple)):
        return "[{}]".format(", ".join(map(toml_value, value)))
    return repr(value)

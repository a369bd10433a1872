"""Networks' TOMLs, read and written again with other values."""

try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib


def read(path):
    """A TOML as a dict."""
    with open(path, "rb") as file:
        return tomllib.load(file)


def text(table, note):
    """A network's table as TOML under a comment; whole lines, one key each."""
    lines = ["# " + line for line in note.splitlines()]
    plain = {k: v for k, v in table.items() if not _is_section(v)}
    lines += ["{} = {}".format(key, _value(value)) for key, value in plain.items()]
    for name, value in table.items():
        if isinstance(value, dict):
            lines += ["", "[{}]".format(name)] + _lines(value)
        elif _is_section(value):
            for entry in value:
                lines += ["", "[[{}]]".format(name)] + _lines(entry)
    return "\n".join(lines) + "\n"


def _is_section(value):
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and isinstance(value[0], dict)
    )


def _lines(section):
    return ["{} = {}".format(key, _value(value)) for key, value in section.items()]


def _value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return '"{}"'.format(escaped)
    if isinstance(value, (list, tuple)):
        return "[{}]".format(", ".join(map(_value, value)))
    return repr(value)

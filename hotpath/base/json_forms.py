"""Check what a JSON file of ours holds, against a form made of ``toml_keys.Key``."""

from typing import Any, Dict, List, Tuple, Union

from hotpath.base.toml_checks import convert, shortened_repr
from hotpath.base.toml_keys import REQUIRED, Key


def check_json(value: Any, form: Any, where: str) -> None:
    """Check what a JSON file of ours holds; it may be a stranger's, or damaged.

    Args:
        value: a table, a list or one value.
        form: ``{name: form}``, a table with these names and perhaps others; ``{str: form}``, a
            table of any names; ``[form]``, a list of any length; ``(form, form)``, a list of as
            many entries; or a ``Key``. One with a default may be missing, and null if that is None.
        where: place of the value in the file, such as "run".

    Raises:
        ValueError: it has another form; a sentence that begins with the place.
    """
    if isinstance(form, Key):
        is_left_out = value is None and form.default is None
        problem = None if is_left_out else convert(value, form)[1]
        if problem:
            raise ValueError(f"{where} {problem}")
    elif isinstance(form, dict):
        _check_table(value, form, where)
    else:
        _check_list(value, form, where)


def _check_table(value: Any, form: Dict[Any, Any], where: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be a table, not {shortened_repr(value)}")
    if str in form:  # any names
        for name in value:
            check_json(value[name], form[str], f"{where}.{name}")
        return
    for name, inner in form.items():
        if name in value:
            check_json(value[name], inner, f"{where}.{name}")
        elif not isinstance(inner, Key) or inner.default is REQUIRED:
            raise ValueError(f"{where}.{name} is missing")


def _check_list(value: Any, form: Union[List[Any], Tuple[Any, ...]], where: str) -> None:
    if not isinstance(value, list):
        raise ValueError(f"{where} must be a list, not {shortened_repr(value)}")
    has_any_length = isinstance(form, list)
    if not has_any_length and len(form) != len(value):
        raise ValueError(f"{where} must hold {len(form)} entries, not {len(value)}")
    for index, entry in enumerate(value):
        check_json(entry, form[0 if has_any_length else index], f"{where}[{index}]")

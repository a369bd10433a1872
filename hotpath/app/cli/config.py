"""Read options from a file: ``--config FILE.toml``."""

import argparse
import pathlib
import re
from typing import Any, Dict, List

from hotpath.base import toml
from hotpath.base.messages import advice_for_unknown, did_you_mean
from hotpath.base.text import file_name
from hotpath.base.toml_checks import convert
from hotpath.base.toml_keys import Key
from hotpath.runtime.errors import BadOption


def with_config(parser: argparse.ArgumentParser, arguments: List[str]) -> argparse.Namespace:
    """Return the options of the file of ``--config`` that the arguments do not give.

    Raises:
        BadOption: the file can't be read, names an unknown option, or a switch that is neither true
            nor false.
    """
    finder = type(parser)(parser.prog, add_help=False, allow_abbrev=False)
    finder.add_argument("--config")
    path = finder.parse_known_args(arguments)[0].config
    if path is None:
        return argparse.Namespace()
    actions = parser._option_string_actions
    options_typed = {argument.split("=")[0] for argument in arguments}
    added: List[str] = []
    for name, value in toml.read(pathlib.Path(path), BadOption).items():
        option, opposite = "--" + name, "--no-" + name
        if option not in actions or name == "config":
            names = [each[2:] for each in actions if each[:2] == "--" and each != "--config"]
            hint = advice_for_unknown(name, names) or did_you_mean(name, names)
            what, hint = "is not an option", hint or "`hotpath track --help all` lists all of them"
            if name == "config":
                what, hint = "can't name another file", "leave it out"
            raise BadOption(f"{path}: the key {name!r} {what}; {hint}", what="unknown option")
        problem = convert(value, Key(bool))[1] if actions[option].nargs == 0 else None
        if problem:
            raise BadOption(f"{path}: {name} {problem}", what="wrong value")
        if not options_typed & {option, opposite}:
            added += _words(option, value, actions)
    return parser.parse_args(added)


def _words(option: str, value: Any, actions: Dict[str, argparse.Action]) -> List[str]:
    """A value of the file as arguments: several texts or lists for an option that is repeated.

    A list for an option whose value is itself a list, such as --box, is one value if no item of it
    is a list or a text with a separator.
    """
    action = actions[option]
    if isinstance(value, bool) and action.nargs in (0, "?"):
        opposite = option.replace("--", "--no-", 1)
        if value:
            return [option]
        return [opposite] if opposite in actions else []
    several = isinstance(action, argparse._AppendAction) and isinstance(value, list)
    if several and "," in str(action.metavar):
        several = any(re.search(r"[,;\s]", str(item)) for item in value)
    if not (several and any(isinstance(item, (str, list)) for item in value)):
        value = [value]
    texts = [item if isinstance(item, list) else [item] for item in value]
    return [f"{option}=" + file_name(",".join(map(str, text))) for text in texts]

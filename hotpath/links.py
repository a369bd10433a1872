"""What a project that adds links to a run uses of Hotpath; ``projects/vehicle`` is one.

A package ``hotpath_NAME`` with ``NAME = hotpath_NAME.plug:PLUG`` in the entry points
``hotpath.links`` has a ``Plug``: options, and the links that they ask for. Each link's module has
``open_link(context)``, which returns a ``Link``. It learns of each tracked frame, works in
``LinkThread``s of its own, and asks the ``Run`` for targets. These names stay; others may change.
Every run imports ``plug.py``. To cost it nothing, that takes its names from
``hotpath.app.option_records`` and ``hotpath.base.cli``.

| name | what |
|---|---|
| ``Plug``, ``Group``, ``Option`` | options of a project |
| ``LinkOptions``, ``StreamOptions`` | options of a run |
| ``Link``, ``LinkThread``, ``Context`` | a link, its threads, and what it is opened with |
| ``Run``, ``Selection``, ``CONFIRM`` | what a link asks of the frame loop |
| ``check_file``, ``read_login`` | files that options name |
| ``made_socket``, ``split_address``, ``stream_address`` | addresses |
| ``Key``, ``Mistake``, ``read_section``, ``sentence`` | keys of a TOML, and its mistakes |
| ``read_toml``, ``write_toml`` | a TOML as a dict, and a dict as TOML |
| ``Parser``, ``between``, ``number``, ``exit_code``, ``say`` | a program's command line |
| ``cache``, ``missing_package_text``, ``counted``, ``why_unread`` | files that are kept; words of
sentences |

Example:
    >>> from hotpath.links import Key
    >>> Key(float, default=2.0, low=0.0).default
    2.0
"""

from hotpath.app.cli.progress import say
from hotpath.app.links.base import (
    Context,
    Link,
    LinkThread,
    check_file,
    made_socket,
    read_login,
    split_address,
)
from hotpath.app.links.base import (
    parse_address as stream_address,
)
from hotpath.app.links.run_controller import CONFIRM
from hotpath.app.links.run_controller import Controller as Run
from hotpath.app.option_records import Group, LinkOptions, Option, Plug, StreamOptions
from hotpath.app.selection import Selection
from hotpath.base import cache
from hotpath.base.cli import Parser, between, number
from hotpath.base.exit_codes import exit_code
from hotpath.base.messages import counted, why_unread
from hotpath.base.messages import missing_package_text as needs
from hotpath.base.toml import read as read_toml
from hotpath.base.toml_checks import read_section, sentence
from hotpath.base.toml_keys import Key, Mistake
from hotpath.base.toml_writer import to_toml as write_toml

__all__ = [
    "CONFIRM",
    "Context",
    "Group",
    "Key",
    "Link",
    "LinkOptions",
    "LinkThread",
    "Mistake",
    "Option",
    "Parser",
    "Plug",
    "Run",
    "Selection",
    "StreamOptions",
    "between",
    "cache",
    "check_file",
    "counted",
    "exit_code",
    "made_socket",
    "needs",
    "number",
    "read_login",
    "read_section",
    "read_toml",
    "say",
    "sentence",
    "split_address",
    "stream_address",
    "why_unread",
    "write_toml",
]

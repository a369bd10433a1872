"""Open the links of a run, such as the page, and import only these."""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, List

from hotpath.app.option_records import LinkOptions
from hotpath.base import projects
from hotpath.base.messages import missing_package_text
from hotpath.runtime.errors import BadOutput

if TYPE_CHECKING:
    from hotpath.app.links.base import Context, Link

PLUGS = projects.load_plugs()
# the option that asks for a link, its module, and a package that may be missing
LINKS = (
    *(link for plug in PLUGS for link in plug.links),  # a vehicle is told first
    ("stream", "hotpath.app.links.stream", ""),
    ("publish", "hotpath.app.links.publish", ""),
    ("page", "hotpath.app.links.page.server", "aiohttp"),
)


def check_links(options: LinkOptions) -> None:
    """Refuse what can't work together, before anything is opened."""
    from hotpath.app.links.base import check_file

    for plug in PLUGS:
        plug.check(options)
    if options.stream.login:
        check_file("stream-login", options.stream.login)
    for link in LINKS:
        if link[0] in requested_links(options):
            check = getattr(_module(*link), "check_options", None)
            if check:
                check(options)


def requested_links(options: LinkOptions) -> List[str]:
    """The options that ask for a link."""
    elsewhere = tuple(start for plug in PLUGS for start in plug.publishes)
    asked = {
        "stream": options.stream.addresses,
        "publish": options.publish and not options.publish.startswith(elsewhere),
        "page": options.page.page,
    }
    others = [name for plug in PLUGS for name in plug.wanted(options)]
    return [link[0] for link in LINKS if link[0] in others or asked.get(link[0])]


def open_links(context: "Context") -> "List[Link]":
    """Open the links that are asked for.

    Raises:
        BadOutput: an address, a file or a package that can't be had.
    """
    links: List[Link] = []
    wanted = requested_links(context.options)
    modules = [_module(*link) for link in LINKS if link[0] in wanted]
    for module in modules:
        getattr(module, "check_run", _accept)(context)
    try:
        for module in reversed(modules):  # no camera is offered that can't start
            links.insert(0, module.open_link(context))
    except BaseException:
        for link in links:
            link.close()
        raise
    return links


def _accept(_: "Context") -> None:
    """A link that works in every run."""


def _module(name: str, module: str, package: str, extra: str = "") -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if not package:
            raise
        sentence = missing_package_text(f"--{name}", package, error, extra or name)
        raise BadOutput(sentence, what="missing package") from None

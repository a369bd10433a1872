"""Error answers of the page, and the security headers of all its answers."""

import base64
import hashlib
import html
import re
from typing import Optional

from aiohttp import web

STYLE = (
    "body{font:18px/1.5 system-ui,sans-serif;max-width:34em;margin:15vh auto;padding:0 20px}"
    "code{font-size:.9em;overflow-wrap:anywhere}"
)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Hotpath</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><style>{style}</style></head>
<body><h1>Hotpath</h1><p>{messages}.</p>{more}</body></html>
"""
ENTER = """
<p>A run prints its link when it starts, in a line such as
<code>page: http://127.0.0.1:8600/enter?token=…</code> Open the whole link, with its token. Each run
has a new one. Where you do not see the terminal, ask the person who started the run.</p>
"""


def policy(host: str) -> str:
    """Content-Security-Policy: the page's own files only, and nothing inline."""
    # older browsers do not count web sockets as 'self'
    sockets = f" ws://{host} wss://{host}" if re.match(r"[\w.:\[\]-]+$", host) else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        f"connect-src 'self'{sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def error(status: int, text: str, allow: Optional[str] = None) -> web.Response:
    """An answer that says what is wrong."""
    headers = {"Allow": allow} if allow else {}
    if status == 503:
        headers["Retry-After"] = "2"
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.json_response({"error": text}, status=status, headers=headers)


def error_page(status: int, text: str) -> web.Response:
    """The same for a person who opened an address in a browser."""
    messages = html.escape(text[:1].upper() + text[1:])
    more = ENTER if status in (401, 403) else ""
    page = PAGE.format(style=STYLE, messages=messages, more=more)
    response = web.Response(text=page, status=status, content_type="text/html")
    allowed = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return response

"""The page below a path of a reverse proxy, with nginx as the document sets it up."""

import asyncio
import contextlib
import pathlib
import re
import socket
import subprocess
import time
from urllib.parse import urljoin

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("onnxruntime")
import aiohttp

from tests.support import pages
from tests.support.fences import blocks
from tests.support.needs import why_no_program
from tests.support.ports import free_port
from tests.support.streams.process import ROOT

STATIC = ROOT / "hotpath" / "app" / "links" / "page" / "static"
NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; {location} }}
}}
"""


@contextlib.contextmanager
def proxied(folder, to_port):
    """nginx with the document's lines; yields the address of the page below its path."""
    text = next(t for k, _, t in blocks(ROOT / "docs" / "use.md") if k == "nginx")
    port = free_port()
    location = text.replace(":8600/", f":{to_port}/")
    conf = pathlib.Path(str(folder)) / "nginx.conf"
    conf.write_text(NGINX.format(folder=folder, port=port, location=location))
    with open(str(conf) + ".log", "wb") as log:
        server = subprocess.Popen(["nginx", "-c", str(conf)], stderr=log, stdout=log)
    try:
        with socket.socket() as probe:
            while probe.connect_ex(("127.0.0.1", port)):
                assert server.poll() is None, pathlib.Path(str(conf) + ".log").read_text()
                time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/cam/"
    finally:
        server.terminate()
        server.wait(60)


@pytest.fixture(scope="module")
def below(tmp_path_factory):
    """(a run, the address of its page below a path)."""
    reason = why_no_program("nginx")
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("below")
    pages.write_world(folder, 60, width=640, height=480, side=80)
    options = folder / "frames", "--page-host", "0.0.0.0"
    with pages.PagedRun(folder, *options, network=folder / "tiny.toml") as run:
        with proxied(folder, run.port) as address:
            yield run, address


def test_the_page_s_files_name_no_address_from_the_root():
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8")
        if path.suffix in (".js", ".html", ".css"):
            from_root = r"""(?:["'`(])/(?:api|ws|enter|\w+\.(?:js|css|svg))"""
            assert not re.findall(from_root, text), path


def test_link_files_requests_and_socket_work_below_a_path(below):
    run, address = below

    async def visit():
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            async with session.get(f"{address}enter?token={run.token}") as answer:
                assert (answer.status, str(answer.url)) == (200, address)
                page = await answer.text()
            names = re.findall(r'(?:href|src)="([^#"]+)"', page)
            assert len(names) > 2
            for name in names:
                async with session.get(urljoin(address, name)) as answer:
                    assert answer.status == 200, name
            origin = {"Origin": address[: -len("/cam/")]}
            paused = session.post(address + "api/pause", json={"paused": True}, headers=origin)
            async with paused as answer:
                assert answer.status < 300
            async with session.ws_connect(address + "ws", headers=origin) as socket:
                assert '"frame"' in (await socket.receive_str(timeout=60))
            foreign = {"Origin": "http://elsewhere.example"}
            async with session.get(address + "api/state", headers=foreign) as answer:
                assert answer.status == 403

    asyncio.run(visit())

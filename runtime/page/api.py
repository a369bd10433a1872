"""The page's HTTP requests: what may be asked with which words. Described in page/openapi.json.

Every value is looked at here before it reaches the frame loop: numbers are finite and of a size
that a frame can have, nothing but JSON of the described form is taken.
"""

import asyncio
import json
import math

import cv2
from aiohttp import web

from runtime.page.control import Refused

DESCRIPTION = "openapi.json"
JPEG_QUALITY = 80
BODY_S = 5.0  # a request's body must have come by then
ANSWER_S = 10.0  # the frame loop's
ROWS_AT_ONCE = 1000
LAST_ROW = 10**15 - 1
LARGEST = 1e6  # of a number in a box
LARGEST_INDEX = (1 << 53) - 1  # what JavaScript counts to


class Api:
    """Answers the requests below /api.

    Args:
        server: the ``page.Server``.
    """

    def __init__(self, server):
        self._server, self._desk = server, server.desk

    def routes(self):
        """What is asked where."""
        return [
            web.get("/api/state", self.state),
            web.get("/api/targets", self.targets),
            web.post("/api/targets", self.choose),
            web.delete("/api/targets/{number}", self.drop),
            web.get("/api/snapshot", self.snapshot),
            web.get("/api/results", self.results),
            web.post("/api/pause", self.pause),
            web.post("/api/recording", self.record),
            web.post("/api/stop", self.stop),
            web.get("/api/openapi.json", self.describe),
        ]

    async def state(self, request):
        """All that the page shows beside the picture."""
        text = self._server.state(self._newest())
        return web.Response(text=text, content_type="application/json")

    async def targets(self, request):
        """The targets in the newest frame."""
        state = self._desk.state(self._newest())
        return web.json_response({"frame": state["frame"], "targets": state["targets"]})

    async def choose(self, request):
        """Take a target on a frame that was seen."""
        body = await _body(request, ("frame", "box"), ("replace",))
        box, replaced = body["box"], body.get("replace")
        if not isinstance(box, list) or len(box) != 4:
            raise Refused(400, "box: four numbers, x, y, width and height in pixels of the frame")
        try:
            frame = whole(body["frame"])
            box = tuple(_number(value) for value in box)
            replaced = None if replaced is None else whole(replaced)
        except ValueError as error:
            raise Refused(400, str(error)) from None
        number = await self._ask(self._desk.choose, frame, box, replaced)
        return web.json_response({"number": number}, status=201)

    async def drop(self, request):
        """Follow a target no more."""
        text = request.match_info["number"]
        if not (text.isdigit() and len(text) < 10):
            raise Refused(404, "there is no such target")
        await self._ask(self._desk.drop, int(text))
        return web.Response(status=204)

    async def snapshot(self, request):
        """The newest picture."""
        shot = self._newest()
        width = self._server.options.page_width
        loop = asyncio.get_event_loop()
        jpeg = await loop.run_in_executor(None, encoded, shot.frame, width)
        return web.Response(
            body=jpeg, content_type="image/jpeg", headers={"X-Frame": str(shot.index)}
        )

    async def results(self, request):
        """Rows of results so far."""
        text = request.query.get("after", "-1")
        try:
            after = int(text) if len(text) < 17 and text.lstrip("-").isdigit() else None
        except ValueError:  # digits of another script
            after = None
        if after is None or not -1 <= after <= LAST_ROW or set(request.query) - {"after"}:
            raise Refused(400, "after: the number of the last row that is known, from -1")
        first, rows = self._desk.rows(after, ROWS_AT_ONCE)
        return web.json_response({"columns": self._desk.columns, "first": first, "rows": rows})

    async def pause(self, request):
        """Let a recording stand still, or go on."""
        await self._ask(self._desk.pause, await _switch(request, "paused"))
        return web.Response(status=204)

    async def record(self, request):
        """Write to the files of the command line, or let them rest."""
        await self._ask(self._desk.record, await _switch(request, "on"))
        return web.Response(status=204)

    async def stop(self, request):
        """End the run."""
        if not await _switch(request, "stop"):
            raise Refused(400, "stop: true ends the run")
        await self._ask(self._desk.stop)
        return web.Response(status=202)

    async def describe(self, request):
        """This interface, as OpenAPI."""
        description = json.loads(self._server.files[DESCRIPTION].decode("utf-8"))
        if not self._server.guard.token:
            del description["security"]
        return web.json_response(description)

    def _newest(self):
        shot = self._desk.wait(-1, 0)[1]
        if shot is None:
            raise Refused(503, "no frame has come yet")
        return shot

    async def _ask(self, function, *arguments):
        """Have the frame loop call a function; returns what it returned."""
        future = self._desk.ask(function, *arguments)
        return await asyncio.wait_for(asyncio.wrap_future(future), ANSWER_S)


def encoded(frame, width):
    """JPEG of a BGR frame, scaled down to a width at most."""
    if frame.shape[1] > width:
        height = max(1, int(round(frame.shape[0] * width / float(frame.shape[1]))))
        frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def parsed(text):
    """JSON of no other than JSON's own values; raises ValueError."""

    def no_constant(name):
        raise ValueError(name + " is no number of JSON")

    try:
        return json.loads(text, parse_constant=no_constant)
    except RecursionError:
        raise ValueError("too deep") from None


def whole(value):
    """A whole number from 0; raises ValueError."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON makes no difference between 1 and 1.0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_INDEX:
        raise ValueError("frame, replace: whole numbers from 0")
    return value


def board_figures(sample):
    """What the page shows of a board's sensors: temp_c, clock_hz, clock, power_mw; None: unknown.

    Args:
        sample: of ``boards.telemetry``.
    """
    clock = "GPU" if sample.get("gpu_clock_hz") else "CPU"
    cores = [v for k, v in sample.items() if k.startswith("cpu") and k.endswith("_clock_hz") and v]
    power = sample.get("power_total_mw")
    if power is None:
        packages = [
            v for k, v in sample.items() if k.startswith("rapl_package") and k.endswith("_mw")
        ]
        known = [v for v in packages if v is not None]
        power = sum(known) if known else sample.get("gpu_power_mw")
    figures = {
        "temp_c": sample.get("hottest_temp_c"),
        "clock_hz": sample.get("gpu_clock_hz") or (max(cores) if cores else None),
        "power_mw": power,
    }
    if figures["temp_c"] is None:
        figures["temp_c"] = sample.get("gpu_temp_c")
    good = {k: v if v is not None and math.isfinite(v) else None for k, v in figures.items()}
    return dict(good, clock=clock)


def _number(value):
    """A number of a box; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("box: four numbers")
    if not -LARGEST <= value <= LARGEST:  # False for NaN as well
        raise ValueError("box: a number is larger than any frame")
    return float(value)


async def _switch(request, name):
    """The one truth value of a body."""
    value = (await _body(request, (name,)))[name]
    if not isinstance(value, bool):
        raise Refused(400, "{}: true or false".format(name))
    return value


async def _body(request, needed, optional=()):
    """The request's body: a JSON object of those keys."""
    # a foreign page can't send this type without asking first, which is never granted
    if request.content_type != "application/json":
        raise Refused(415, "send JSON, as application/json")
    try:
        text = (await asyncio.wait_for(request.read(), BODY_S)).decode("utf-8")
        body = parsed(text)
    except asyncio.TimeoutError:
        raise Refused(408, "the request did not come in time") from None
    except (ValueError, web.HTTPBadRequest) as error:
        raise Refused(400, "this is no JSON: {}".format(error)) from None
    if not isinstance(body, dict) or set(needed) - set(body) or set(body) - set(needed + optional):
        raise Refused(400, "send an object with {}".format(", ".join(needed)))
    return body

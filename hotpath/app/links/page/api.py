"""The page's HTTP requests: which addresses exist, and what they accept.

Every value is checked here before it reaches the frame loop: the body is JSON of the right form,
and numbers are finite and of a sensible size.
"""

import asyncio
import math
from typing import Any, Callable, Dict, List, NoReturn, Optional, Sequence, Tuple

from aiohttp import web

from hotpath.app.links.requests import RequestRefused
from hotpath.app.links.run_controller import Controller
from hotpath.app.report.thumbnails import jpeg, shrunk
from hotpath.base.text import parse_json
from hotpath.runtime.frames.pictures import AnyFrame, bgr_of
from hotpath.video.base import TrackedFrame

Json = Dict[str, Any]  # an object of a request or an answer
BODY_S = 5.0  # a request's body must have arrived by then
ANSWER_S = 10.0  # the frame loop must have answered by then
LARGEST_PX = 1e6  # absolute value of a number in a box
LARGEST_INDEX = (1 << 53) - 1  # JavaScript's largest exact integer


class Api:
    """Answers the requests below /api.

    Args:
        controller: the frame loop's remote control.
        state_text: function that gives a frame's state as JSON text.
        selected: function that gives the picture of a target's selection, JPEG; empty: none.
    """

    def __init__(
        self,
        controller: Controller,
        state_text: Callable[[TrackedFrame], str],
        selected: Callable[[int], bytes],
    ) -> None:
        self._controller, self._state_text = controller, state_text
        self._selected = selected

    def routes(self) -> List[Any]:
        """All addresses with their handlers."""
        return [
            web.get("/api/state", self.state),
            web.post("/api/targets", self.add_target),
            web.delete("/api/targets/{number}", self.drop_target),
            web.get("/api/targets/{number}/selected", self.selected),
            web.post("/api/pause", self.pause),
            web.post("/api/confirm", self.confirm),
            web.post("/api/reject", self.reject),
            web.post("/api/stop", self.stop),
        ]

    async def state(self, request: web.Request) -> web.StreamResponse:
        """Return everything that the page displays beside the picture."""
        text = self._state_text(self._newest())
        return web.Response(text=text, content_type="application/json")

    async def add_target(self, request: web.Request) -> web.StreamResponse:
        """Select a target on a frame that was displayed."""
        body = await _body(request, ("frame",), ("box", "point", "replace", "snug"))
        replaced, snug = body.get("replace"), body.get("snug", False)
        if ("box" in body) == ("point" in body):
            raise RequestRefused(400, "send a box or a point")
        if not isinstance(snug, bool):
            raise RequestRefused(400, "snug: true or false")
        try:
            frame = whole_number(body["frame"])
            box = _numbers(body["box"], "box") if "box" in body else None
            point = _numbers(body["point"], "point") if box is None else None
            replaced = None if replaced is None else whole_number(replaced)
        except ValueError as error:
            raise RequestRefused(400, str(error)) from None
        controller = self._controller

        def choose() -> Json:
            number = controller.add_target(frame, box, replaced, snug, point)
            track = controller.targets.first(number)
            doubt = controller.targets.doubt(number) or None
            return {
                "number": number,
                "box": list(track.box),
                "taken": track.taken,
                "doubt": doubt,
            }

        return web.json_response(await self._call(choose), status=201)

    async def drop_target(self, request: web.Request) -> web.StreamResponse:
        """Stop tracking a target."""
        await self._call(self._controller.drop_target, _number_of(request))
        return web.Response(status=204)

    async def selected(self, request: web.Request) -> web.StreamResponse:
        """The picture of a target as it was selected."""
        picture = self._selected(_number_of(request))
        if not picture:
            raise RequestRefused(404, "there is no picture of this target yet")
        return web.Response(body=picture, content_type="image/jpeg")

    async def pause(self, request: web.Request) -> web.StreamResponse:
        """Pause a recording, or resume it."""
        await self._call(self._controller.pause, await _switch(request, "paused"))
        return web.Response(status=204)

    async def confirm(self, request: web.Request) -> web.StreamResponse:
        """Say that the selected target is the right one, so that steering goes on."""
        number = await _answered(request, "confirm")
        await self._call(self._controller.confirm, number)
        return web.Response(status=204)

    async def reject(self, request: web.Request) -> web.StreamResponse:
        """Say that a target's box holds another object, so that the search goes on."""
        number = await _answered(request, "reject")
        await self._call(self._controller.reject, number)
        return web.Response(status=204)

    async def stop(self, request: web.Request) -> web.StreamResponse:
        """End the run."""
        if not await _switch(request, "stop"):
            raise RequestRefused(400, "stop: true ends the run")
        await self._call(self._controller.stop)
        return web.Response(status=202)

    def _newest(self) -> TrackedFrame:
        tracked = self._controller.wait(-1, 0)[1]
        if tracked is None:
            raise RequestRefused(503, "no frame has come yet")
        return tracked

    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Have the frame loop call a function; returns what it returned."""
        future = self._controller.call(function, *arguments)
        return await asyncio.wait_for(asyncio.wrap_future(future), ANSWER_S)


def encode_jpeg(frame: AnyFrame, width: int) -> bytes:
    """JPEG of a frame, scaled down to at most that width."""
    return jpeg(shrunk(bgr_of(frame), width))


def parse_strict_json(text: str) -> Any:
    """Strict JSON, without NaN and Infinity; raises ValueError."""

    def refuse_constant(name: str) -> NoReturn:
        raise ValueError(name + " is not a JSON number")

    return parse_json(text, parse_constant=refuse_constant)


def whole_number(value: Any) -> int:
    """A whole number from 0; raises ValueError."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON does not tell 1 from 1.0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_INDEX:
        raise ValueError("frame, replace: whole numbers from 0")
    return value


def board_figures(sample: Json) -> Json:
    """What the page shows of a board's sensors: temp_c, clock_hz, clock, power_mw; None: unknown.

    Args:
        sample: one reading of ``hotpath.boards.telemetry``.
    """
    clock = "GPU" if sample.get("gpu_clock_hz") else "CPU"
    cores = [v for k, v in sample.items() if k.startswith("cpu") and k.endswith("_clock_hz") and v]
    figures = {
        "temp_c": sample.get("hottest_temp_c"),
        "clock_hz": sample.get("gpu_clock_hz") or (max(cores) if cores else None),
        "power_mw": sample.get("power_total_mw"),
    }
    good = {k: v if v is not None and math.isfinite(v) else None for k, v in figures.items()}
    return dict(good, clock=clock)


NUMBERS = {  # name of a list in a body -> how many numbers it has, and which
    "box": (4, "four numbers, x, y, width and height in pixels of the frame"),
    "point": (2, "two numbers, x and y in pixels of the frame"),
}


def _numbers(values: Any, name: str) -> Tuple[float, ...]:
    """The numbers of a box or a point; raises ValueError."""
    count, text = NUMBERS[name]
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"{name}: {text}")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{name}: {text}")
        if not -LARGEST_PX <= value <= LARGEST_PX:  # False for NaN as well
            raise ValueError(f"{name}: a number is larger than any frame")
    return tuple(float(value) for value in values)


def _number_of(request: web.Request) -> int:
    """The target that an address names."""
    text = request.match_info["number"]
    if not (text.isdecimal() and len(text) < 10):
        raise RequestRefused(404, "there is no such target")
    return int(text)


async def _answered(request: web.Request, name: str) -> Optional[int]:
    """The target of a body that says yes or no to it; None for the selected one."""
    body = await _body(request, (name,), ("number",))
    if body[name] is not True:
        raise RequestRefused(400, f"{name}: true, or do not send it")
    try:
        return None if body.get("number") is None else whole_number(body["number"])
    except ValueError:
        raise RequestRefused(400, "number: a whole number from 0") from None


async def _switch(request: web.Request, name: str) -> bool:
    """The one true or false of a body."""
    value = (await _body(request, (name,)))[name]
    if not isinstance(value, bool):
        raise RequestRefused(400, f"{name}: true or false")
    return value


async def _body(request: web.Request, needed: Sequence[str], optional: Sequence[str] = ()) -> Json:
    """The request's body: a JSON object with those keys."""
    # a foreign page must ask before it may send this type, and no answer allows it
    if request.content_type != "application/json":
        raise RequestRefused(415, "send JSON, as application/json")
    try:
        text = (await asyncio.wait_for(request.read(), BODY_S)).decode("utf-8")
        body = parse_strict_json(text)
    except asyncio.TimeoutError:
        raise RequestRefused(408, "the request's body did not arrive in time") from None
    except (ValueError, web.HTTPBadRequest) as error:
        raise RequestRefused(400, f"this is not JSON: {error}") from None
    if (
        not isinstance(body, dict)
        or set(needed) - set(body)
        or set(body) - set(needed) - set(optional)
    ):
        raise RequestRefused(400, "send an object with {}".format(", ".join(needed)))
    return body

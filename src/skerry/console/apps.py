"""The pages Fleet and Stacks: the control API, handed on."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from skerry.app.declare import Routes
from skerry.core.wire import Response

from .desk import Desk
from .upstream import CHANGE

apps = Routes("/api", tags=["fleet"])


def offer(desk: Desk) -> None:
    """Their feeds: ``fleet``, ``stacks``, and ``stack:APP``, percent-encoded."""

    async def fleet(_: str) -> bytes:
        return await desk.control.read("/instances")

    async def stacks(_: str) -> bytes:
        return await desk.control.read("/stacks")

    async def stack(app: str) -> bytes:
        return await desk.control.read(f"/apps/{app}/stacks")

    desk.feeds.add("fleet", fleet)
    desk.feeds.add("stacks", stacks, every=2.0)
    desk.feeds.add("stack", stack)


@apps.get("/fleet")
async def get_fleet(desk: Desk) -> Response:
    """What ``skerry ps --json`` prints."""
    return await desk.control.forward("GET", "/instances")


@apps.get("/logs")
async def get_logs(
    desk: Desk,
    app: str = "",
    lines: int = 100,
    follow: bool = False,
    trace: str = "",
    level: str = "",
    grep: str = "",
) -> Response:
    """What ``skerry logs --json`` prints: a line of JSON for each line that was printed."""
    asked = {"app": app, "lines": lines, "follow": "true" if follow else "false"}
    query = urlencode({**asked, "trace": trace, "level": level, "grep": grep})
    return await desk.control.forward("GET", f"/logs?{query}")


@apps.get("/apps/{name}/stacks")
async def get_stacks(desk: Desk, name: str) -> Response:
    """What ``skerry stack NAME --live --json`` prints."""
    return await desk.control.forward("GET", f"/apps/{_in_path(name)}/stacks")


@apps.post("/apps/{name}/restart", timeout=CHANGE)
async def restart_app(desk: Desk, name: str) -> Response:
    """``skerry restart NAME``."""
    return await desk.control.forward("POST", f"/apps/{_in_path(name)}/restart")


@apps.post("/apps/{name}/stop", timeout=CHANGE)
async def stop_app(desk: Desk, name: str) -> Response:
    """``skerry stop NAME``."""
    return await desk.control.forward("POST", f"/apps/{_in_path(name)}/stop")


@apps.post("/apps/{name}/start", timeout=CHANGE)
async def start_app(desk: Desk, name: str) -> Response:
    """``skerry start NAME``."""
    return await desk.control.forward("POST", f"/apps/{_in_path(name)}/start")


@apps.post("/apps/{name}/scale", timeout=CHANGE)
async def scale_app(desk: Desk, name: str, instances: int) -> Response:
    """``skerry scale NAME INSTANCES``."""
    body = {"instances": instances}
    return await desk.control.forward("POST", f"/apps/{_in_path(name)}/scale", body)


def _in_path(name: str) -> str:
    return quote(name, safe="")

"""``skerry console``: where a running fleet can be seen and worked on in a browser."""

from __future__ import annotations

import os

from .output import echo_json, fail, note
from .place import control


def console(show: bool, port: int | None, as_json: bool, file: str) -> int:
    """Print the address of the fleet's console; serve one until Ctrl-C where it has none.

    Args:
        show: open it in the browser, too.
        port: where one is served that the fleet has not.
    """
    fleet = control(file)
    status = fleet.status()
    url = str(status["console"])
    if url and any(row["id"] == "console" for row in status["attendants"]):
        _say(url, as_json)
        if show:
            _open(url)
        return 0
    from skerry.app.serve import run

    os.environ |= {
        "SKERRY_CONTROL": str(fleet.socket),
        "SKERRY_FLEET": str(status["fleet"]),
        "OTEL_SDK_DISABLED": "true",
    }
    from skerry.console.app import app

    def ready(url: str) -> None:
        note("the fleet has no console of its own; this one serves until Ctrl-C")
        _say(url, as_json)
        if show:
            _open(url)

    run(app, host="127.0.0.1", port=port or 0, drain=1.0, ready=ready)
    return 0


def _say(url: str, as_json: bool) -> None:
    if as_json:
        echo_json({"url": url})
    else:
        print(url, flush=True)


def _open(url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        fail(f"no browser could be opened; the console is at {url}")

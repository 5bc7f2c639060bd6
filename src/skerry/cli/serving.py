"""``skerry run``: one app without a fleet; and ``skerry version``."""

from __future__ import annotations

import os
import sys

from .output import echo_json, fail, note


def run(reference: str, host: str, port: int, drain: float) -> int:
    """Serve ``module:app`` from the current folder until Ctrl-C."""
    if not all(reference.partition(":")):
        fail(f"{reference!r}: an app is named MODULE:APP, as quotes.app:app")
    from skerry.app.mount import as_asgi
    from skerry.app.serve import run as serve
    from skerry.fleet.instance import CannotLoad, load

    from .looking import reason

    try:
        app = as_asgi(load(reference, os.getcwd()))
    except CannotLoad as error:
        fail(reason(error))
    serve(
        app,
        host=host,
        port=port,
        drain=drain,
        ready=lambda url: note(f"{reference} at {url}"),
    )
    return 0


def version(as_json: bool) -> int:
    from skerry import __version__

    if as_json:
        python = ".".join(map(str, sys.version_info[:3]))
        echo_json({"skerry": __version__, "python": python})
    else:
        print(__version__)
    return 0

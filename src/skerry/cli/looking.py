"""``python -m skerry.cli.looking JOB``: what an app's code says, asked in a process of its own.

To know an app's contract without its running, its code is imported. That can print, start
threads, fail, or need another interpreter; and modules of two apps may have the same name. None
of which is to happen to the command line, so it happens here; the answer leaves through a pipe
that nothing the app prints gets into.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, TypedDict

from skerry.fleet.instance import CannotLoad, load


class Job(TypedDict):
    """What to find out.

    Attributes:
        target: the application object, ``quotes.app:app``.
        folder: that it is imported from.
        what: ``contract``, ``events`` or ``stack``.
        endpoint, handler, client: whose stack; one of them, or none for the first there is.
        pipe: where the answer goes.
    """

    target: str
    folder: str
    what: str
    endpoint: str
    handler: str
    client: str
    pipe: int


class Answer(TypedDict, total=False):
    """What was found, or why nothing was: one of the two."""

    found: Any
    failed: str


def answer(job: Job) -> Answer:
    try:
        app = load(job["target"], job["folder"])
        found = _FINDS[job["what"]](app, job)
    except CannotLoad as error:
        return {"failed": reason(error)}
    except Exception as error:  # the app's own code: it can raise anything
        return {"failed": f"{type(error).__name__}: {error}"}
    if found is None:
        kind = f"{type(app).__module__.partition('.')[0]}.{type(app).__name__}"
        return {"failed": f"{job['target']} is a {kind}, which has no {job['what']} to show"}
    return {"found": found}


def reason(error: Exception) -> str:
    """Why something cannot be loaded: what the app's own code raised, and where."""
    cause = error.__cause__
    if cause is None:
        return str(error)
    place, where = "", cause.__traceback__
    while where is not None:
        file = where.tb_frame.f_code.co_filename
        if file != load.__code__.co_filename and "importlib" not in file:
            place = f"\n  at {file}:{where.tb_lineno}"
        where = where.tb_next
    return f"{error}: {type(cause).__name__}: {cause}{place}"


def _contract(app: Any, job: Job) -> Any:
    from skerry.app.app import App
    from skerry.contract.openapi import document

    if isinstance(app, App):
        return document(app.contract())
    made = getattr(app, "openapi", None)  # FastAPI's
    return made() if callable(made) else None


def _events(app: Any, job: Job) -> Any:
    from skerry.app.app import App
    from skerry.contract.asyncapi import document

    contract = app.contract() if isinstance(app, App) else None
    return document(contract) if contract is not None and contract.has_events else None


def _stack(app: Any, job: Job) -> Any:
    from msgspec import to_builtins

    from skerry.app.app import App

    if not isinstance(app, App):
        return None
    endpoints = [endpoint.declaration.name for endpoint in app.endpoints()]
    if job["client"]:
        return to_builtins(app.connector.describe(job["client"]))
    handlers = [declared.name for declared in app.handlers]
    if job["handler"] or (handlers and not endpoints and not job["endpoint"]):
        return to_builtins(app.describe_handler(_named("handler", job["handler"], handlers)))
    return to_builtins(app.describe(_named("endpoint", job["endpoint"], endpoints)))


_FINDS = {"contract": _contract, "events": _events, "stack": _stack}


def _named(what: str, name: str, known: list[str]) -> str:
    """``name``, or the first that is known where none was given.

    Raises:
        LookupError: it is not among them.
    """
    if name and name not in known:
        from .output import nearest

        raise LookupError(f"it has no {what} {name!r}.{nearest(name, known)}")
    return name or next(iter(known), "")


def main() -> None:
    job: Job = json.loads(sys.argv[1])
    sys.stdout = sys.stderr
    with os.fdopen(job["pipe"], "w", encoding="utf-8") as pipe:
        json.dump(answer(job), pipe)
        pipe.flush()
        os._exit(0)  # threads that the app has started are not waited for


if __name__ == "__main__":
    main()

"""The files of the pages: as they lie in the package, nothing built, nothing from elsewhere."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import PurePosixPath

from skerry.core.errors import NotFound
from skerry.core.wire import Headers, Request, Response

_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}
_ROOT = files("skerry.console") / "static"


def pages_in(suffix: str) -> list[str]:
    """The pages that have a file in ``static/pages`` which ends so: a module, a style sheet."""
    found = (entry.name for entry in (_ROOT / "pages").iterdir())
    return sorted(name.removesuffix(suffix) for name in found if name.endswith(suffix))


def answer_file(request: Request, path: str) -> Response:
    """A file of the pages, which browsers ask for again each time, and get when it has changed.

    Raises:
        NotFound: there is none.
    """
    name = PurePosixPath(path)
    kind = _TYPES.get(name.suffix)
    if kind is None or name.is_absolute() or ".." in name.parts:
        raise NotFound
    try:
        content = _ROOT.joinpath(*name.parts).read_bytes()
    except OSError:
        raise NotFound from None
    tag = b'"%s"' % hashlib.blake2b(content, digest_size=12).hexdigest().encode()
    headers = [(b"cache-control", b"no-cache"), (b"etag", tag)]
    if request.headers.find(b"if-none-match") == tag:
        return Response(304, Headers(headers), b"")
    headers += [(b"content-type", kind), (b"content-length", b"%d" % len(content))]
    return Response(200, Headers(headers), content)

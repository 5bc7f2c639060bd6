"""From a method and a path to an endpoint.

A tree of path segments: what is spelled out wins over a ``{parameter}``, which wins over a
``{rest:path}``, whatever the order of declaration; of those that fit, the first that does the
method answers. Corners follow Starlette: paths are matched decoded, ``GET`` answers ``HEAD``, a
trailing slash too many or too few redirects, a known path with another method is 405 with
``Allow``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from skerry.core.errors import ConfigError, MethodNotAllowed, NotFound

T = TypeVar("T")

_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(:path)?\}")


@dataclass(slots=True)
class _Node(Generic[T]):
    static: dict[str, _Node[T]] = field(default_factory=dict)
    parameter: _Node[T] | None = None
    rest: _Node[T] | None = None
    methods: dict[str, tuple[T, tuple[str, ...]]] = field(default_factory=dict)


class Router(Generic[T]):
    """A table of endpoints; ``add`` at start, ``match`` for each request."""

    __slots__ = ("_exact", "_root")

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._exact: dict[str, _Node[T]] = {}

    def add(self, method: str, path: str, endpoint: T) -> None:
        """Register ``endpoint``; one for ``GET`` answers ``HEAD`` where no other does.

        Raises:
            ConfigError: the path is malformed, or taken for this method.
        """
        names: list[str] = []
        node = self._root
        for segment in split_template(path):
            found = _PARAMETER.fullmatch(segment)
            if found is None:
                node = node.static.setdefault(segment, _Node())
                continue
            names.append(found[1])
            if found[2] is None:
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node.rest = node.rest or _Node()
                node = node.rest
        taken = node.methods.get(method)
        if taken is not None and (method != "HEAD" or taken is not node.methods.get("GET")):
            raise ConfigError(f"{method} {path} is declared twice")
        node.methods[method] = (endpoint, tuple(names))
        if method == "GET":
            node.methods.setdefault("HEAD", node.methods["GET"])
        if not names:
            self._exact[path] = node

    def match(self, method: str, path: str) -> tuple[T, dict[str, str]]:
        """The endpoint for a request, with the values of the path's parameters.

        Args:
            path: decoded, beginning with ``/``.

        Raises:
            NotFound: nobody knows the path.
            MethodNotAllowed: the path is known, and does not do this.
        """
        node = self._exact.get(path)
        if node is not None and method in node.methods:
            return node.methods[method][0], {}
        others: list[_Node[T]] = []
        found = _walk(self._root, path[1:].split("/"), 0, (), method, others)
        if found is not None:
            node, values = found
            endpoint, names = node.methods[method]
            return endpoint, dict(zip(names, values, strict=True))
        allow = {name for node in others for name in node.methods}
        if not allow:
            raise NotFound(detail=f"There is nothing at {path}.")
        raise MethodNotAllowed(allow=tuple(sorted(allow)), detail=f"{path} does not do {method}.")

    def knows(self, path: str) -> bool:
        """Whether any method is declared for the path."""
        others: list[_Node[T]] = []
        _walk(self._root, path[1:].split("/"), 0, (), "", others)
        return any(node.methods for node in others)

    def redirect(self, path: str) -> str | None:
        """The path with or without its last slash, where that one is known and this is not."""
        other = path[:-1] if path.endswith("/") else path + "/"
        return other if other and self.knows(other) else None


def split_template(path: str) -> list[str]:
    """The segments of a path template.

    Raises:
        ConfigError: it is not one.
    """
    if not path.startswith("/"):
        raise ConfigError(f"a path begins with '/': {path!r} does not")
    segments = path[1:].split("/")
    names: set[str] = set()
    for index, segment in enumerate(segments):
        found = _PARAMETER.fullmatch(segment)
        if found is None:
            if "{" in segment or "}" in segment:
                raise ConfigError(
                    f"{path}: a segment is either text or one {{parameter}}: {segment!r}"
                )
            continue
        if found[1] in names:
            raise ConfigError(f"{path}: {{{found[1]}}} stands twice")
        names.add(found[1])
        if found[2] is not None and index != len(segments) - 1:
            raise ConfigError(f"{path}: {{{found[1]}:path}} can only be the last segment")
    return segments


def _walk(
    node: _Node[T],
    segments: list[str],
    index: int,
    values: tuple[str, ...],
    method: str,
    others: list[_Node[T]],
) -> tuple[_Node[T], tuple[str, ...]] | None:
    """Where ``method`` is done at these segments, and the values of the parameters on the way;
    into ``others`` what fits the segments and does not do it."""
    if index == len(segments):
        if method in node.methods:
            return node, values
        others.append(node)
        return None
    segment = segments[index]
    child = node.static.get(segment)
    if child is not None:
        found = _walk(child, segments, index + 1, values, method, others)
        if found is not None:
            return found
    if segment and node.parameter is not None:
        found = _walk(node.parameter, segments, index + 1, (*values, segment), method, others)
        if found is not None:
            return found
    if node.rest is not None:
        values = (*values, "/".join(segments[index:]))
        return _walk(node.rest, segments, len(segments), values, method, others)
    return None

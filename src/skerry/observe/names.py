"""Which names there are to choose from: services, their spans, whom they call, tags' values."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from .model import Span

MOST = 2_000
"""Names that are kept of one kind; whoever has more has put ids in them."""


class Known(Struct):
    """Names as the file has them: spans and others by service, values by tag."""

    spans: dict[str, list[str]] = {}
    remotes: dict[str, list[str]] = {}
    values: dict[str, list[str]] = {}


class Names:
    """Names of spans that came lately.

    Args:
        keys: tags whose values are kept.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self.keys = frozenset(keys)
        self.spans: dict[str, set[str]] = {}
        self.remotes: dict[str, set[str]] = {}
        self.values: dict[str, set[str]] = {}

    def see(self, span: Span) -> None:
        if self.keys:
            for key in self.keys & span.tags.keys():
                _add(self.values.setdefault(key, set()), span.tags[key])
        service = span.service
        if service is None:
            return
        names = self.spans.get(service)
        if names is None:
            if len(self.spans) >= MOST:
                return
            names = self.spans[service] = set()
            self.remotes[service] = set()
        if span.name is not None and span.name not in names:
            _add(names, span.name)
        if span.remote_endpoint is not None:
            remote = span.remote_endpoint.service_name
            if remote is not None and remote not in self.remotes[service]:
                _add(self.remotes[service], remote)

    def see_all(self, known: Known) -> None:
        """Add what is in ``known``."""
        for mine, theirs in (
            (self.spans, known.spans),
            (self.remotes, known.remotes),
            (self.values, known.values),
        ):
            for key, names in theirs.items():
                mine.setdefault(key, set()).update(names)

    def known(self) -> Known:
        return Known(*(_listed(of) for of in (self.spans, self.remotes, self.values)))


def _add(names: set[str], name: str) -> None:
    if len(names) < MOST:
        names.add(name)


def _listed(names: dict[str, set[str]]) -> dict[str, list[str]]:
    return {key: list(some) for key, some in names.items()}

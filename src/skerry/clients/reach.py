"""What a contract's named types lead to: all that a body can hold, and names that go in circles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .shapes import Alias, Api, Record, Ref, Shape
from .tags import inside


def reachable(api: Api, shapes: Iterable[Shape]) -> set[str]:
    """The keys of the named types that are in some shapes, at whatever depth."""
    found: set[str] = set()
    queue = list(shapes)
    while queue:
        shape = queue.pop()
        if isinstance(shape, Ref) and shape.key not in found:
            found.add(shape.key)
            named = api.named.get(shape.key)
            if isinstance(named, Record):
                queue += [f.shape for f in named.fields]
            elif isinstance(named, Alias):
                queue.append(named.shape)
        else:
            queue += inside(shape)
    return found


def cyclic_aliases(api: Api) -> Iterator[str]:
    """Unions that contain themselves without a record between: no type can say that."""
    for key, named in api.named.items():
        if isinstance(named, Alias):
            seen: set[str] = set()
            queue: list[Shape] = [named.shape]
            while queue:
                shape = queue.pop()
                if isinstance(shape, Ref) and shape.key not in seen:
                    seen.add(shape.key)
                    inner = api.named.get(shape.key)
                    queue += [inner.shape] if isinstance(inner, Alias) else []
                else:
                    queue += inside(shape)
            if key in seen:
                yield key

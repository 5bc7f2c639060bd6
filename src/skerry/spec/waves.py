"""In which order a fleet starts: whoever is needed first, and all who can at once.

Services may call each other in a circle; that is no error, but somebody has to start first.
The apps of a circle start together, after all that the circle needs (Kosaraju's components).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .model import Fleet


def order(fleet: Fleet, only: Iterable[str] | None = None) -> list[list[str]]:
    """Waves of names, apps and backings alike: each needs only what stands in waves before it.

    Args:
        only: these, and whatever they need, instead of all.
    """
    needs = _graph(fleet)
    if only is not None:
        wanted = reachable(needs, only)
        needs = {name: needs[name] for name in needs if name in wanted}
    groups = _components(needs)
    circle = {name: group for group in groups for name in group}
    depth: dict[str, int] = {}
    for group in groups:  # needed ones come first
        outside = [need for name in group for need in needs[name] if circle[need] is not group]
        level = 1 + max((depth[need] for need in outside), default=-1)
        depth.update(dict.fromkeys(group, level))
    waves: list[list[str]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for name in needs:
        waves[depth[name]].append(name)
    return waves


def cycles(fleet: Fleet) -> list[tuple[str, ...]]:
    """Groups of apps that need each other, each in the order of the file."""
    needs = _graph(fleet)
    place = {name: index for index, name in enumerate(needs)}
    groups = (tuple(group) for group in _components(needs) if len(group) > 1)
    return sorted(groups, key=lambda group: place[group[0]])


def reachable(needs: Mapping[str, Iterable[str]], names: Iterable[str]) -> set[str]:
    """``names`` and all they need, and all those need."""
    found: set[str] = set()
    waiting = [name for name in names if name in needs]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(needs[name])
    return found


def _graph(fleet: Fleet) -> dict[str, tuple[str, ...]]:
    backings = dict.fromkeys(fleet.backings, ())
    return {**backings, **{name: app.needs for name, app in fleet.apps.items()}}


def _components(needs: Mapping[str, tuple[str, ...]]) -> list[list[str]]:
    """Groups of names that reach each other, those that are needed before those that need."""
    place = {name: index for index, name in enumerate(needs)}
    users: dict[str, list[str]] = {name: [] for name in needs}
    for name, used in needs.items():
        for need in used:
            users[need].append(name)
    seen: set[str] = set()
    groups = []
    for name in reversed(_finishing(users)):
        group = []
        waiting = [name]
        while waiting:
            member = waiting.pop()
            if member not in seen:
                seen.add(member)
                group.append(member)
                waiting.extend(needs[member])
        if group:
            groups.append(sorted(group, key=place.__getitem__))
    return groups


def _finishing(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Names in the order in which a depth-first walk leaves them."""
    seen: set[str] = set()
    left: list[str] = []
    for start in graph:
        if start in seen:
            continue
        seen.add(start)
        path = [(start, iter(graph[start]))]
        while path:
            name, rest = path[-1]
            following = next((item for item in rest if item not in seen), None)
            if following is None:
                left.append(name)
                path.pop()
            else:
                seen.add(following)
                path.append((following, iter(graph[following])))
    return left

"""What a discriminator says: by which property, and which value of it is which schema."""

from __future__ import annotations

from .document import Node


class Discriminators:
    """Reads the discriminators of a document, and finds who extends whom."""

    def __init__(self, root: Node) -> None:
        self._root = root
        self._children: dict[str, list[Node]] | None = None

    def tags(self, node: Node, members: list[Node]) -> tuple[str, tuple[tuple[str, str], ...]]:
        """The property that tells the members of a union apart, and its value for each, by the
        place of its schema; an empty name where the union has no discriminator."""
        said = said_by(node)
        tag = said.text("propertyName")
        if not tag:
            return "", ()
        tags: list[tuple[str, str]] = []
        for value, target in said.child("mapping").value.items():
            found = self._mapped(said, str(target))
            if found is not None:
                tags.append((found.id, str(value)))
        known = {key for key, _ in tags}
        for member in members:
            if isinstance(member.value, dict) and "$ref" in member.value:
                target_node = member.follow()
                if target_node.id not in known:
                    tags.append((target_node.id, target_node.key))
        return tag, tuple(tags)

    def children(self, node: Node) -> list[tuple[str, Node]]:
        """Those that extend a component by ``allOf``, where it says by which property to tell
        them apart: whoever refers to it means any of them."""
        said = said_by(node)
        if not said.value or node.items("oneOf") or node.items("anyOf"):
            return []
        mapped = [
            (str(value), self._mapped(said, str(target)))
            for value, target in said.child("mapping").value.items()
        ]
        found = [(value, child) for value, child in mapped if child is not None]
        if not found:
            found = [(child.key, child) for child in self._extending(node)]
        children = [(value, child) for value, child in found if child.id != node.id]
        return children if all(_extends(child, node) for _, child in children) else []

    def _mapped(self, node: Node, target: str) -> Node | None:
        """What a discriminator's mapping names: by reference, or by a component's bare name."""
        if "/" not in target and "#" not in target:
            bare = self._root.child("components").child("schemas").step(target)
            if bare is not None:
                return bare.follow()
        return node.document.resolve(target, node).follow()

    def _extending(self, parent: Node) -> list[Node]:
        if self._children is None:
            self._children = {}
            for _, component in self._root.child("components").children("schemas"):
                if isinstance(component.value, dict):
                    for part in component.items("allOf"):
                        if isinstance(part.value, dict) and "$ref" in part.value:
                            self._children.setdefault(part.follow().id, []).append(component)
        return self._children.get(parent.id, [])


def said_by(node: Node) -> Node:
    """The object that a schema has for its discriminator; an empty one where it has none.
    AsyncAPI's is a bare name, by which nothing is told apart but inheritance."""
    bare = isinstance(node.value.get("discriminator"), str)
    return node.child(
        "x-discriminator" if bare or "x-discriminator" in node.value else "discriminator"
    )


def _extends(child: Node, parent: Node) -> bool:
    return any(part.follow().id == parent.id for part in child.items("allOf"))

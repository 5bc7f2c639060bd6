"""The same module without Skerry: dataclasses over httpx, for teams that leave.

What it stands on comes with it (``plainbase``), so that the file is all there is.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from .annotations import Speller, import_groups
from .generate import Module
from .header import Header
from .layout import Group, Text, docstring, group, lay, prose, quoted
from .plan import plan
from .pythonic import Plan, PyField, PyOperation, PyProblem, PyRecord
from .shapes import NO_DEFAULT, Api, Literals

_STANDARD = frozenset(
    {
        *(
            "base64",
            "dataclasses",
            "functools",
            "json",
            "re",
            "collections.abc",
            "decimal",
            "enum",
            "types",
        ),
        *("typing", "urllib.parse", "uuid"),
    }
)
_ALSO = {"IntEnum": "enum", "StrEnum": "enum", "TypeAlias": "typing"}


def plain_module(api: Api, header: Header, *, width: int = 88) -> str:
    """The text of a client module that needs httpx and nothing else."""
    reserved = set(re.findall(r"^(?:class (\w+)|(\w+) =)", _base(), re.MULTILINE))
    names = {name for pair in reserved for name in pair if name}
    names |= {name for _, imported in _imports() for name in imported} | set(_ALSO)
    made = plan(api, header.app, reserved=names, standalone=True)
    return _PlainModule(made, header, width).text()


@cache
def _base() -> str:
    return files(__package__).joinpath("plainbase.py").read_text("utf-8")


@cache
def _imports() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What ``plainbase`` imports: whole lines without names, or modules with theirs."""
    top = _base().partition("# section: top")[0].partition("import annotations")[2]
    found: list[tuple[str, tuple[str, ...]]] = []
    for line in re.findall(r"^(?:import .+|from \S+ import (?:\([^)]*\)|.+))$", top, re.MULTILINE):
        if line.startswith("import "):
            found.append((line, ()))
        else:
            source, _, names = line.removeprefix("from ").partition(" import ")
            found.append((source, tuple(re.findall(r"\w+", names))))
    return tuple(found)


class _PlainSpeller(Speller):
    unset = "Unset"

    def untold(self, union: str) -> str:
        return union

    def imports(self) -> list[list[tuple[str, list[str]]]]:
        sources: dict[str, list[str]] = {}
        for source, names in _imports():
            if names:
                sources[source] = list(names)
        for name in self._used & _ALSO.keys():
            sources[_ALSO[name]].append(name)
        lines = [line for line, names in _imports() if not names and "httpx" not in line]
        return [*import_groups(lines, sources, _STANDARD), [("import httpx", [])]]


class _PlainModule(Module):
    def speller(self, plan: Plan) -> Speller:
        return _PlainSpeller(plan)

    def sections(self) -> list[list[str]]:
        _, top, bottom = re.split(r"# section: \w+\n", _base())
        *first, endpoints = super().sections()
        return [top.strip().split("\n"), *first, bottom.strip().split("\n"), endpoints]

    def _record(self, made: PyRecord) -> list[str]:
        lines = ["@dataclasses.dataclass(kw_only=True)", f"class {made.name}:"]
        fields = list(made.fields)
        if made.const:
            fields.insert(
                0, PyField(made.const, made.tag_field, Literals((made.tag,)), made.tag, "")
            )
        doc = docstring(self._described(made.doc, 1, made.fields, made.name), 1)
        body = [line for field in fields for line in self._field(field, renamed=False)]
        if doc and body:
            doc = [*doc, ""]
        return [*lines, *doc, *(body or ([] if doc else ["    pass"]))]

    def _field(self, field: PyField, *, renamed: bool) -> list[str]:
        hint = self._speller.hint(field.shape, optional=repr(field.default) == "UNSET")
        default = self._speller.default(field.default)
        fresh = default in ("[]", "{}")
        if field.name == field.wire and not fresh:
            return self._assignment(f"{field.name}: {hint}", default, annotation=hint)
        options: list[Text] = []
        if fresh:
            options.append(f"default_factory={'list' if default == '[]' else 'dict'}")
        elif default:
            options.append(f"default={default}")
        if field.name != field.wire:
            options.append(f'metadata={{"name": {quoted(field.wire)}}}')
        call = group("dataclasses.field(", options, ")")
        return self._assignment(f"{field.name}: {hint}", call)

    def _problem(self, made: PyProblem) -> list[str]:
        lines = [f"class {made.name}(Problem):"]
        doc = docstring(self._described(made.doc, 1, made.fields, made.name), 1)
        body: list[str] = []
        if made.type:
            body.append(f"    __type__ = {quoted(made.type)}")
        renamed = [f"{quoted(f.name)}: {quoted(f.wire)}" for f in made.fields if f.name != f.wire]
        if renamed:
            body += lay(Group("__wire__ = {", tuple(renamed), "}", literal=True), 1, self._width)
        for field in made.fields:
            hint = self._speller.hint(field.shape, optional=repr(field.default) == "UNSET")
            default = "" if field.default is NO_DEFAULT else self._speller.default(field.default)
            body += self._assignment(f"{field.name}: {hint}", default, annotation=hint)
        if doc and body:
            doc = [*doc, ""]
        return [*lines, *doc, *(body or ([] if doc else ["    pass"]))]

    def _client(self) -> list[str]:
        return self._face(self._plan.name, "AsyncClient", "")

    def _sync(self) -> list[str]:
        self.define, self.wait = "def", ""
        lines = self._face(f"{self._plan.name}Sync", "SyncClient", ", for code without await")
        self.define, self.wait = Module.define, Module.wait
        return lines

    def _face(self, name: str, base: str, about: str) -> list[str]:
        said = prose(f"Calls {self._plan.app}{about}.", self._width)
        lines = [f"class {name}({base}):", *docstring([said], 1)]
        if self._plan.api.url:
            lines += ["", f"    __url__ = {quoted(self._plan.api.url)}"]
        for operation in self._plan.operations:
            lines += ["", *self._method(operation)]
        return lines

    def returned(self, operation: PyOperation) -> str:
        answer = super().returned(operation)
        if not self._speller.streams(operation):
            return answer
        return answer.replace("Items", "AsyncIterator" if self.wait else "Iterator", 1)

    def sent_by(self, operation: PyOperation) -> str:
        return "_stream" if self._speller.streams(operation) else "_call"

    def answer_of(self, operation: PyOperation) -> str:
        answer = super().answer_of(operation)
        return answer.removeprefix("Items[").removesuffix("]") if answer[:6] == "Items[" else answer

"""A contract written down as one typed module that reads as if someone had typed it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .annotations import CORE_PROBLEMS, Speller
from .endpoints import write_endpoint
from .header import Header
from .layout import Group, Text, assign, docstring, entry, group, lay, prose, quoted, summary
from .names import words
from .pythonic import Plan, PyAlias, PyArgument, PyEnum, PyField, PyOperation, PyProblem, PyRecord
from .shapes import NO_DEFAULT

RESERVED = frozenset(
    {
        *("Any", "AsyncIterable", "Client", "ClassVar", "Decimal", "Endpoint", "File", "IntEnum"),
        *("Items", "Literal", "Mapping", "OneOf", "Redirect", "StrEnum", "Struct"),
        *("SyncClient", "TypeAlias", "UUID", "UNSET", "UnsetType"),
        *CORE_PROBLEMS,
    }
)
"""Names that a generated module imports, and that its classes therefore do not have."""


def module(plan: Plan, header: Header, *, width: int = 88) -> str:
    """The text of the client module.

    Args:
        plan: the contract; made with ``reserved=RESERVED``.
        header: what the module says about where it is from.
        width: of a line.
    """
    return Module(plan, header, width).text()


class Module:
    """Writes one module; ``plain`` overrides what differs there."""

    define = "async def"
    wait = "await "

    def __init__(self, plan: Plan, header: Header, width: int) -> None:
        self._plan = plan
        self._header = header
        self._width = width
        self._speller = self.speller(plan)

    def speller(self, plan: Plan) -> Speller:
        return Speller(plan)

    def text(self) -> str:
        sections = self.sections()
        body = "\n\n\n".join("\n".join(section) for section in sections if section)
        top = [*self._header.lines(), *self._opening(), "", "from __future__ import annotations"]
        gap = ["", ""] if body.startswith(("class ", "@")) else [""]
        return "\n".join([*top, "", *self._imports(), *gap, body, ""])

    def sections(self) -> list[list[str]]:
        """What the module defines, in order; the endpoints last, for they name all types."""
        return [
            *(self._class(one) for one in self._classes()),
            *self._aliases(),
            *(self._problem(problem) for problem in self._plan.problems if not problem.core),
            *([self._client(), self._sync()] if self._plan.has_client else []),
            self._endpoints(),
        ]

    def _opening(self) -> list[str]:
        api = self._plan.api
        title = " ".join(prose(f"{api.title} {api.version}", 1000).split())
        missing = [] if self._plan.has_client else self._not_here(self._width)
        first, rest = summary(api.description, self._width - len(title) - 8)
        if first and len(first) + len(title) + 8 <= self._width:
            return docstring([f"{title}: {first}", prose(rest, self._width), *missing], 0)
        return docstring([f"{title}.", prose(api.description, self._width), *missing], 0)

    def _not_here(self, width: int) -> list[str]:
        missing = self._plan.api.left_out
        lines = [entry(what, why, width) for what, why in missing]
        return ["Not here:\n" + "\n".join(lines)] if missing else []

    def _imports(self) -> list[str]:
        groups = self._speller.imports()
        lines: list[str] = []
        for names in groups:
            block: list[str] = []
            for source, imported in names:
                if not imported:
                    block.append(source)
                    continue
                line = group(f"from {source} import (", imported, ")", literal=True)
                flat = f"from {source} import {', '.join(imported)}"
                block += [flat] if len(flat) <= self._width else lay(line, 0, 0)
            lines += ["", *block] if lines else block
        return lines

    def _classes(self) -> Iterable[PyRecord | PyEnum]:
        """Records and enumerations as the contract orders them, but those that a default names
        before it."""
        classes = self._plan.classes.values()
        enums = {one.name: one for one in classes if isinstance(one, PyEnum)}
        found: dict[str, PyRecord | PyEnum] = {}
        for one in classes:
            if isinstance(one, PyAlias) or (isinstance(one, PyRecord) and one.core):
                continue
            for field in one.fields if isinstance(one, PyRecord) else ():
                if isinstance(field.default, tuple):
                    found.setdefault(field.default[0], enums[field.default[0]])
            found.setdefault(one.name, one)
        return found.values()

    def _class(self, made: PyRecord | PyEnum) -> list[str]:
        return self._enum(made) if isinstance(made, PyEnum) else self._record(made)

    def _enum(self, made: PyEnum) -> list[str]:
        text = isinstance(made.members[0][1], str)
        base = self._speller.use("StrEnum" if text else "IntEnum")
        lines = [f"class {made.name}({base}):"]
        doc = docstring(self._described(made.doc, 1), 1)
        lines += [*doc, ""] if doc else []
        for name, value in made.members:
            lines += assign(name, self._speller.value(value), 1, self._width)
        return lines

    def _record(self, made: PyRecord) -> list[str]:
        options = [self._speller.use("Struct"), "kw_only=True"]
        if made.tag_field:
            if made.tag_field != "type":
                options.append(f"tag_field={quoted(made.tag_field)}")
            options.append(f"tag={quoted(made.tag)}")
        if made.rename:
            options.append(f"rename={quoted(made.rename)}")
        lines = self._decorated(made)
        lines += lay(group(f"class {made.name}(", options, "):"), 0, self._width)
        doc = docstring(self._described(made.doc, 1, made.fields, made.name), 1)
        body: list[str] = []
        if made.const:
            hint = f"{self._speller.use('ClassVar')}[{self._speller.use('Literal')}"
            hint = f"{hint}[{quoted(made.tag)}]]"
            body += self._assignment(f"{made.const}: {hint}", quoted(made.tag), annotation=hint)
        for field in made.fields:
            body += self._field(field, renamed=bool(made.rename))
        if doc and body:
            doc = [*doc, ""]
        return [*lines, *doc, *(body or ([] if doc else ["    pass"]))]

    def _decorated(self, made: PyRecord) -> list[str]:
        if made.event is None:
            return []
        items: list[Text] = [quoted(made.event.topic)]
        if made.event.version != 1:
            items.append(f"version={made.event.version}")
        if made.event.key:
            items.append(f"key={quoted(made.event.key)}")
        return lay(group(f"@{self._speller.use('event')}(", items, ")"), 0, self._width)

    def _field(self, field: PyField, *, renamed: bool) -> list[str]:
        hint = self._speller.hint(field.shape, optional=_unset(field.default))
        default = self._speller.default(field.default)
        if field.name != field.wire and not renamed:
            options: list[Text] = [f"name={quoted(field.wire)}"]
            if default in ("[]", "{}"):
                options.append(f"default_factory={'list' if default == '[]' else 'dict'}")
            elif default:
                options.append(f"default={default}")
            call = group(f"{self._speller.use('field')}(", options, ")")
            return self._assignment(f"{field.name}: {hint}", call)
        return self._assignment(f"{field.name}: {hint}", default, annotation=hint)

    def _assignment(self, left: str, right: Text, annotation: str = "") -> list[str]:
        if isinstance(right, Group):
            if len(left) + len(right.head) + 7 <= self._width:
                return lay(Group(f"{left} = {right.head}", right.items, right.tail), 1, self._width)
            if len(left) + 8 <= self._width and len(str(right)) + 8 <= self._width:
                return [f"    {left} = (", f"        {right}", "    )"]
            name, _, hint = left.partition(": ")
            return [
                f"    {name}: (",
                f"        {hint}",
                *lay(Group(f") = {right.head}", right.items, right.tail), 1, self._width),
            ]
        line = f"    {left} = {right}" if right else f"    {left}"
        if len(line) <= self._width:
            return [line]
        return self._speller.long_field(left, str(right), annotation, self._width)

    def _described(
        self, text: str, depth: int, fields: Iterable[PyField] = (), name: str = ""
    ) -> list[str]:
        width = self._width - 4 * depth
        first, rest = summary(text, width - 6)
        first += "." if first[-1:].isalnum() else ""
        blocks = [prose(first, width), prose(rest, width)]
        entries = [entry(f.name, f.doc, width) for f in fields if f.doc]
        if entries:
            blocks.append("Attributes:\n" + "\n".join(entries))
            named = " ".join(words(name)).capitalize()
            blocks[0] = blocks[0] or (f"{named}." if len(named) < width - 6 else f"{name}.")
        return blocks

    def _aliases(self) -> Iterator[list[str]]:
        pending = [made for made in self._plan.classes.values() if isinstance(made, PyAlias)]
        done: set[str] = {m.name for m in self._plan.classes.values() if not isinstance(m, PyAlias)}
        while pending:
            ready = [a for a in pending if self._speller.names_in(a.shape) <= done] or pending[:1]
            for made in ready:
                pending.remove(made)
                done.add(made.name)
                head = f"{made.name}: {self._speller.use('TypeAlias')} = "
                lines = self._speller.long_alias(head, made.shape, self._width)
                doc = docstring(self._described(made.doc, 0), 0)
                yield [*lines, *doc]

    def _problem(self, made: PyProblem) -> list[str]:
        options = [self._speller.use("Problem")]
        options += [f"status={made.status}"] if made.status else []
        options += [f"type={quoted(made.type)}"] if made.type else []
        lines = lay(group(f"class {made.name}(", options, "):"), 0, self._width)
        doc = docstring(self._described(made.doc, 1, made.fields, made.name), 1)
        body: list[str] = []
        renamed = [f for f in made.fields if f.name != f.wire]
        if renamed:
            mapping = group(
                f"__wire__: {self._speller.use('ClassVar')}"
                f"[{self._speller.use('Mapping')}[str, str]] = {{",
                [f"{quoted(f.name)}: {quoted(f.wire)}" for f in renamed],
                "}",
                literal=True,
            )
            body += lay(mapping, 1, self._width)
        for field in made.fields:
            hint = self._speller.hint(field.shape, optional=_unset(field.default))
            default = self._speller.default(field.default)
            body += self._assignment(f"{field.name}: {hint}", default, annotation=hint)
        if doc and body:
            doc = [*doc, ""]
        return [*lines, *doc, *(body or ([] if doc else ["    pass"]))]

    def _client(self) -> list[str]:
        plan = self._plan
        lines = [f"class {plan.name}({self._speller.use('Client')}):"]
        about = [prose(f"Calls {plan.app}.", self._width), *self._not_here(self._width - 4)]
        lines += [*docstring(about, 1), ""]
        lines.append(f"    __app__ = {quoted(plan.app)}")
        if plan.api.url:
            lines.append(f"    __url__ = {quoted(plan.api.url)}")
        for operation in plan.operations:
            lines += ["", *self._method(operation)]
        lines += [
            "",
            "    @property",
            f"    def sync(self) -> {plan.name}Sync:",
            '        """The same methods for code that does not await."""',
            f"        return {plan.name}Sync(self)",
        ]
        return lines

    def _method(self, operation: PyOperation) -> list[str]:
        items: list[Text] = ["self"]
        starred = False
        for argument in operation.arguments:
            if not argument.positional and not starred:
                items.append("*")
                starred = True
            items.append(self._argument(argument))
        answer = self.returned(operation)
        head = group(f"{self.define} {operation.name}(", items, f") -> {answer}:")
        call = group(
            f"{self.wait}self.{self.sent_by(operation)}(",
            [_constant(operation), *(a.name for a in operation.arguments)],
            ")",
        )
        if answer != "None":
            call = Group(f"return {call.head}", call.items, call.tail)
        doc = docstring(self._operation_doc(operation), 2)
        return [*lay(head, 1, self._width), *doc, *lay(call, 2, self._width)]

    def _argument(self, argument: PyArgument) -> str:
        hint = self._speller.argument(argument)
        if argument.default is NO_DEFAULT:
            return f"{argument.name}: {hint}"
        return f"{argument.name}: {hint} = {self._speller.default(argument.default)}"

    def _operation_doc(self, operation: PyOperation) -> list[str]:
        width = self._width - 8
        source = operation.source
        text = source.summary or source.description
        first, rest = summary(text, width - 6)
        if first and first[-1] not in ".!?:":
            first += "."
        more = source.description if source.summary else ""
        blocks = [prose(first, width), prose(rest, width)]
        if more.strip() and more.strip().rstrip(".") != source.summary.strip().rstrip("."):
            blocks.append(prose(more, width))
        if source.deprecated:
            blocks.append("Deprecated.")
        blocks += [prose(note, width) for note in source.notes]
        entries = [entry(a.name, a.doc, width) for a in operation.arguments if a.doc]
        if entries:
            blocks.append("Args:\n" + "\n".join(entries))
        raises = self._raises_doc(operation, width)
        if raises:
            blocks.append("Raises:\n" + "\n".join(raises))
        if not first:
            blocks.insert(0, f"{source.method} {source.path}.")
        return blocks

    def _raises_doc(self, operation: PyOperation, width: int) -> list[str]:
        statuses: dict[str, list[str]] = {}
        for status, problems in operation.raises:
            for problem in problems:
                label = "any other status" if status == "default" else str(status)
                statuses.setdefault(problem.name, []).append(label)
        return [entry(name, f"{', '.join(found)}.", width) for name, found in statuses.items()]

    def _sync(self) -> list[str]:
        plan = self._plan
        base = self._speller.use("SyncClient")
        lines = [
            f"class {plan.name}Sync({base}[{plan.name}]):",
            f'    """``{plan.name}`` for code that does not await."""',
        ]
        if plan.operations:
            lines.append("")
        for operation in plan.operations:
            kind = "blocking_items" if self._speller.streams(operation) else "blocking"
            call = group(
                f"{operation.name} = {self._speller.use(kind)}(",
                [f"{plan.name}.{operation.name}"],
                ")",
            )
            lines += lay(call, 1, self._width)
        return lines

    def _endpoints(self) -> list[str]:
        lines: list[str] = []
        for operation in self._plan.operations:
            answer = self.answer_of(operation)
            head = f"{_constant(operation)} = {self._speller.use('Endpoint')}["
            items = write_endpoint(operation, self._speller)
            if len(f"{head}{answer}](") <= self._width:
                lines += lay(group(f"{head}{answer}](", items, ")"), 0, self._width)
            else:
                lines += [head, f"    {answer}", *lay(group("](", items, ")"), 0, 0)]
        return lines

    def returned(self, operation: PyOperation) -> str:
        """What a method returns."""
        return self._speller.answer(operation)

    def sent_by(self, operation: PyOperation) -> str:
        """The method of the base class that does the work."""
        return "_call"

    def answer_of(self, operation: PyOperation) -> str:
        """What an endpoint is an endpoint of."""
        return self._speller.answer(operation)


def _constant(operation: PyOperation) -> str:
    return f"_{operation.name.upper()}"


def _unset(default: object) -> bool:
    return repr(default) == "UNSET"

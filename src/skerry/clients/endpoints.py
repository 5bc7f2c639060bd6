"""The ``Endpoint`` of each operation, as text."""

from __future__ import annotations

from .annotations import Speller, call
from .layout import Group, Text, group, quoted
from .parts import Style
from .pythonic import PyArgument, PyOperation
from .shapes import NO_DEFAULT, Argument, Payload, Scalar

_STYLES: dict[str, Style] = {
    "form": "form",
    "simple": "simple",
    "spaceDelimited": "spaceDelimited",
    "pipeDelimited": "pipeDelimited",
    "deepObject": "deepObject",
    "json": "json",
}
_EXPLODING = frozenset({"form", "simple", "spaceDelimited", "pipeDelimited"})


def write_endpoint(operation: PyOperation, speller: Speller) -> list[Text]:
    """The arguments of an ``Endpoint``."""
    source = operation.source
    items: list[Text] = [quoted(operation.name), quoted(source.method), quoted(source.path)]
    items += [_part(argument, speller) for argument in operation.arguments]
    answers = [
        f"{_status(answer.status)}: {speller.answer_type(answer)}" for answer in operation.answers
    ]
    items.append(group("answers={", answers, "}", literal=True))
    if operation.raises:
        raises: list[Text] = []
        for status, problems in operation.raises:
            names = [speller.use(p.name) if p.core else p.name for p in problems]
            raises.append(
                f"{_status(status)}: {names[0]}"
                if len(names) == 1
                else group(f"{_status(status)}: (", names, ")", literal=True)
            )
        items.append(group("raises={", raises, "}", literal=True))
    accept = accept_of(operation)
    if accept:
        items.append(f"accept={quoted(accept)}")
    return items


def _status(status: int | str) -> str:
    return quoted(status) if isinstance(status, str) else str(status)


def accept_of(operation: PyOperation) -> str:
    """The media type to ask for, where it does not follow from the answers' own kinds."""
    found = (a.media_type for a in operation.answers if a.media_type.endswith("+json"))
    return next(found, "")


def style_of(source: Argument) -> tuple[Style, bool]:
    """How an argument is written: what the contract says, or what OpenAPI assumes."""
    usual: Style = "simple" if source.where in ("path", "header") else "form"
    style: Style = _STYLES.get(source.style, usual)
    explode = source.explode if source.explode is not None else style == "form"
    return style, explode


def _part(argument: PyArgument, speller: Speller) -> Group:
    source = argument.source
    if isinstance(source, Payload):
        return _body(source, speller)
    items: list[Text] = [quoted(source.name)]
    hint = speller.hint(source.shape)
    if source.mint:
        name = "idempotency_key"
        items = [] if source.name == "Idempotency-Key" else items
        return call(speller.use(name), items)
    if hint != "str":
        items.append(hint)
    if argument.default not in (NO_DEFAULT, None):
        items.append(f"default={speller.default(argument.default)}")
    items += _style(source)
    return call(speller.use(source.where), items)


def _style(source: Argument) -> list[Text]:
    if isinstance(source.shape, Scalar):
        return []
    style, explode = style_of(source)
    usual, exploded = style_of(Argument(source.name, source.where, source.shape, True))
    items: list[Text] = []
    if style != usual:
        items.append(f"style={quoted(style)}")
    if source.where in ("path", "query") and style in _EXPLODING and explode != exploded:
        items.append(f"explode={explode}")
    return items


def _body(source: Payload, speller: Speller) -> Group:
    hint = speller.hint(source.shape)
    media = quoted(source.media_type)
    match source.kind:
        case "json":
            extra = [] if source.media_type == "application/json" else [media]
            return call(speller.use("body"), [hint, *extra])
        case "form":
            deep = [f"{quoted(name)}" for name in source.deep]
            if not deep:
                return call(speller.use("form"), [hint])
            listed = ", ".join(deep) + ("," if len(deep) == 1 else "")
            made: Text = (
                f"deep=({listed})" if len(deep) == 1 else group("deep=(", deep, ")", literal=True)
            )
            return call(speller.use("form"), [hint, made])
        case "multipart":
            return call(speller.use("multipart"), [hint])
        case "text":
            extra = [] if source.media_type == "text/plain" else [media]
            return call(speller.use("text_body"), extra)
        case "lines":
            extra = [] if source.media_type == "application/x-ndjson" else [media]
            return call(speller.use("lines_body"), [hint, *extra])
    extra = [] if source.media_type == "application/octet-stream" else [media]
    return call(speller.use("bytes_body"), extra)

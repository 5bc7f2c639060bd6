"""The ``Endpoint`` of each operation, as text."""

from __future__ import annotations

from .annotations import Speller, call
from .layout import Group, Text, group, quoted
from .plan import PyArgument, PyOperation
from .shapes import NO_DEFAULT, Argument, Payload, Scalar


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
    accept = next((a.media_type for a in operation.answers if _is_special(a.media_type)), "")
    if accept:
        items.append(f"accept={quoted(accept)}")
    return items


def _status(status: int | str) -> str:
    return quoted(status) if isinstance(status, str) else str(status)


def _is_special(media: str) -> bool:
    """Whether the media type does not follow from the answer's own kind."""
    return media.endswith("+json")


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
    usual = "simple" if source.where in ("path", "header") else "form"
    style = source.style or usual
    items: list[Text] = []
    if style != usual:
        items.append(f"style={quoted(style)}")
    explodes = style == "form"
    if (
        source.explode is not None
        and source.explode != explodes
        and source.where
        in (
            "path",
            "query",
        )
    ):
        if style not in ("deepObject", "json"):
            items.append(f"explode={source.explode}")
    elif source.where == "query" and style in ("spaceDelimited", "pipeDelimited"):
        items.append("explode=False")
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

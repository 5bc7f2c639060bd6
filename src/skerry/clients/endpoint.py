"""One endpoint as a client sees it: how a call is written, and how its answer is read.

Declared once per module and prepared at the first call, so that importing a client of a
thousand endpoints makes no codec, and calling one works with what is ready.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, get_args, get_origin
from uuid import uuid4

from msgspec import UNSET, Struct

from skerry.core.errors import BadRequest, Invalid, Problem, UnexpectedResponse
from skerry.core.wire import Body as WireBody
from skerry.core.wire import Headers, RawHeaders, Request, Response, read_all

from .bodies import Body, encoder
from .items import Items, explain, read_items
from .oneof import decoder_of
from .parts import Pairs, Part, escape, write_query, writer
from .raising import Raises, declared, problem_of

T = TypeVar("T")

Answers = Mapping[int | str, Any]
_Put = Callable[[Any, Pairs, RawHeaders], object]


class Redirect(Struct, frozen=True):
    """An answer that says where to look instead; it is not followed."""

    status: int
    location: str


class Endpoint(Generic[T]):
    """One endpoint of a contract.

    Args:
        name: the operation's, for counters and messages.
        method: upper case.
        path: the template: ``/schools/{school_id}``.
        parts: parameters and body, in the order of the method's arguments, path parameters
            first.
        answers: the type of the answer by status (``200``, ``"2XX"``, ``"default"``); None
            for an answer without a body, bytes, str or ``Items[...]`` for those that are not
            one JSON value.
        raises: the problems by status, in the same way.
        accept: the media types wanted, where they do not follow from ``answers``.
    """

    __slots__ = (
        "_accept",
        "_build",
        "answers",
        "decoders",
        "method",
        "name",
        "parts",
        "path",
        "raises",
    )

    def __init__(
        self,
        name: str,
        method: str,
        path: str,
        *parts: Part | Body,
        answers: Answers,
        raises: Raises | None = None,
        accept: str = "",
    ) -> None:
        self.name = name
        self.method = method
        self.path = path
        self.parts = parts
        self.answers = answers
        self.raises: Raises = {} if raises is None else raises
        self.decoders: dict[int, Callable[[bytes], Any]] = {}
        self._accept = accept
        self._build: Callable[[tuple[Any, ...]], Request] | None = None

    def request(self, values: tuple[Any, ...]) -> Request:
        """The request for these arguments, one for each part; None and UNSET are left out."""
        build = self._build
        if build is None:
            build = self._build = _builder(self)
        return build(values)

    async def read(self, response: Response, app: str) -> T:
        """What an answer means.

        Raises:
            Problem: a declared one.
            UnexpectedResponse: the contract does not speak of such an answer.
        """
        status = response.status
        answer = self._answer(status)
        if answer is _UNKNOWN:
            raise await self._refusal(response, app)
        if get_origin(answer) is Items:
            (item,) = get_args(answer)
            return read_items(  # type: ignore[return-value]
                response.body, _media_type(response), decoder_of(item), app, text=item is str
            )
        if answer is Redirect:
            await read_all(response.body)
            return Redirect(status, response.headers.get("location") or "")  # type: ignore[return-value]
        body = await read_all(response.body)
        decode = _decoder(answer, response)
        if answer is not str:
            self.decoders[status] = decode
        try:
            value: T = decode(body)
        except (BadRequest, Invalid) as error:
            raise self.misfit(response, body, error, app) from error
        return value

    def _answer(self, status: int) -> Any:
        for key in (status, f"{status // 100}XX", "default"):
            if key in self.answers:
                return self.answers[key]
        return _UNKNOWN

    def misfit(
        self, response: Response, body: bytes, error: Problem, app: str
    ) -> UnexpectedResponse:
        """The error for an answer whose status is in the contract and whose body is not."""
        media_type = _media_type(response) or "without a content-type"
        return UnexpectedResponse(
            f"{self.name}: the {response.status} answer ({media_type}) does not fit the "
            f"contract: {explain(error)}",
            app=app,
            response_status=response.status,
            body=body,
        )

    async def _refusal(self, response: Response, app: str) -> Exception:
        body = await read_all(response.body)
        status = response.status
        try:
            problem = problem_of(tuple(declared(self.raises, status)), status, body)
        except (BadRequest, Invalid) as error:
            return self.misfit(response, body, error, app)
        if problem is not None:
            vars(problem)["answered_by"] = f"{app}.{self.name}"
            problem.add_note(f"answered by {app or 'the app'} to {self.name}")
            return problem
        start = body[:200].decode("utf-8", "replace")
        return UnexpectedResponse(
            f"{self.name}: the contract does not speak of a {status} answer"
            + (f": {start}" if start else ""),
            app=app,
            response_status=status,
            body=body,
        )


def _media_type(response: Response) -> str:
    value = response.headers.get("content-type") or ""
    return value.partition(";")[0].strip().lower()


def _decoder(answer: Any, response: Response) -> Callable[[bytes], Any]:
    """The function that reads such a body; a codec's own wherever that is all there is to it."""
    if answer is None:
        return _nothing
    if answer is bytes:
        return bytes
    if answer is str and "json" not in _media_type(response):
        return _text
    decode: Callable[[bytes], Any] = decoder_of(answer)
    return decode


def _nothing(body: bytes) -> None:
    """Whatever came: the contract says that it says nothing."""


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


_UNKNOWN = object()


def _builder(endpoint: Endpoint[Any]) -> Callable[[tuple[Any, ...]], Request]:
    """The function that writes an endpoint's requests, with all that is the same each time
    worked out."""
    method, name, fields = endpoint.method, endpoint.name, _fields(endpoint)
    in_path = [p for p in endpoint.parts if isinstance(p, Part) and p.where == "path"]
    write_path = _path_writer(endpoint.path, in_path)
    count = len(in_path)
    if any(isinstance(p, Part) and p.where == "path" for p in endpoint.parts[count:]):
        raise TypeError(f"{name}: path parameters come first")
    rest = endpoint.parts[count:]
    puts = [(i, _put(p)) for i, p in enumerate(rest, count) if isinstance(p, Part)]
    bodies = [(i, encoder(p)) for i, p in enumerate(rest, count) if isinstance(p, Body)]
    encode_at, encode = bodies[0] if bodies else (-1, None)

    def build(values: tuple[Any, ...]) -> Request:
        raw = fields.copy()
        pairs: Pairs = []
        for index, put in puts:
            put(values[index], pairs, raw)
        body: WireBody = b""
        if encode is not None:
            value = values[encode_at]
            if value is not None:
                body = encode(value, raw)
        query = write_query(pairs) if pairs else ""
        return Request(method, write_path(values), query, Headers(raw), body, name)

    return build


def _fields(endpoint: Endpoint[Any]) -> RawHeaders:
    accept = endpoint._accept
    if not accept:
        kinds: set[Any] = {_kind(answer) for answer in endpoint.answers.values()}
        if Items in kinds:
            accept = "application/x-ndjson, text/event-stream, application/json;q=0.5"
        elif bytes in kinds:
            accept = "*/*"
        elif str in kinds:
            accept = "text/plain, application/json;q=0.9"
        else:
            accept = "application/json"
        if endpoint.raises and accept != "*/*":
            accept += ", application/problem+json"
    return [(b"accept", accept.encode("latin-1"))]


def _kind(answer: Any) -> Any:
    return Items if get_origin(answer) is Items else answer


def _path_writer(template: str, parts: list[Part]) -> Callable[[tuple[Any, ...]], str]:
    names = re.findall(r"{([^{}]+)}", template)
    order = {part.name: index for index, part in enumerate(parts)}
    if sorted(names) != sorted(order):
        raise TypeError(f"{template}: its parameters are {names}, not {list(order)}")
    if not names:
        return lambda values: template
    literals = re.split(r"{[^{}]+}", template)
    steps = [
        (literal, order[name], _path_text(parts[order[name]]))
        for literal, name in zip(literals, names, strict=False)
    ]
    tail = literals[-1]
    if len(steps) == 1:
        head, _, text = steps[0]
        return lambda values: head + escape(text(values[0])) + tail

    def write(values: tuple[Any, ...]) -> str:
        return "".join([head + escape(text(values[i])) for head, i, text in steps]) + tail

    return write


def _path_text(part: Part) -> Callable[[Any], str]:
    write = writer(part)

    def text(value: Any) -> str:
        if value.__class__ is str and value:
            return str(value)
        if value is None or value is UNSET or value == "":
            raise ValueError(f"the path parameter {part.name!r} must not be empty")
        return ",".join([word for _, word in write(value)])

    return text


def _put(part: Part) -> _Put:
    """The function that puts an argument where it belongs: among the query's pairs or the
    headers."""
    write, default, name = writer(part), part.default, part.name.lower().encode("latin-1")

    def put_query(value: Any, pairs: Pairs, raw: RawHeaders) -> None:
        if value is not None and value is not UNSET and value != default:
            pairs += write(value)

    def put_header(value: Any, pairs: Pairs, raw: RawHeaders) -> None:
        if value is not None and value is not UNSET and value != default:
            text = ",".join([word for _, word in write(value)])
            raw.append((name, _field_value(part.name, text)))

    def put_key(value: Any, pairs: Pairs, raw: RawHeaders) -> None:
        raw.append((name, _field_value(part.name, value) if value else uuid4().hex.encode()))

    def put_cookie(value: Any, pairs: Pairs, raw: RawHeaders) -> None:
        if value is not None and value is not UNSET and value != default:
            for key, word in write(value):
                raw.append((b"cookie", f"{escape(key)}={escape(word)}".encode()))

    if part.mint:
        return put_key
    return {"query": put_query, "header": put_header, "cookie": put_cookie}[part.where]


def _field_value(name: str, text: str) -> bytes:
    """A header's value. Line breaks would end the header and start one of the caller's."""
    if "\r" in text or "\n" in text or "\0" in text:
        raise ValueError(f"the header {name!r} must not have line breaks in it")
    return text.encode("latin-1", "replace")

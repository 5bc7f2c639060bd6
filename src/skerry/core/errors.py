"""Everything that can go wrong, and whether it is safe to try again.

::

    Error                          status  retry
    ├── ConfigError                  -     never       found at start: code, fleet.toml, settings
    ├── Problem                    declared never      an answer: RFC 9457 problem details
    │   ├── BadRequest              400    never       not JSON, not HTTP
    │   ├── Unauthorized            401    never
    │   ├── Forbidden               403    never
    │   ├── NotFound                404    never
    │   ├── MethodNotAllowed        405    never
    │   ├── Conflict                409    never
    │   ├── BodyTooLarge            413    never
    │   ├── UnsupportedMediaType    415    never
    │   ├── Invalid                 422    never       every error at once, with its pointer
    │   ├── IdempotencyKeyMissing   400    never
    │   ├── IdempotencyKeyInFlight  409    repeatable  the same request is being worked on
    │   ├── IdempotencyKeyReused    422    never       the key is another request's
    │   ├── Internal                500    never       the function raised something else
    │   └── Overloaded              503    safe        refused before any work was done
    └── CallError                                      a call got no answer it could use
        ├── ConnectError            503    safe        nothing was sent
        ├── NoInstance              503    never       nowhere to send it, after waiting
        ├── BreakerOpen             503    safe        not sent, on purpose
        ├── ConnectionLost          502    repeatable  sent, and the answer never came whole
        ├── AttemptTimeout          504    repeatable  sent, and this instance took too long
        ├── DeadlineExceeded        504    never       the caller has stopped waiting
        ├── BusUnavailable          503    safe        the broker did not accept it
        ├── Unconfirmed             502    repeatable  the broker did not say whether it did
        └── UnexpectedResponse      502    never       an answer outside the contract

*Safe* may be sent again whatever it was; *repeatable* only if doing it twice does no harm
(RFC 9110, 9.2.2, or an ``Idempotency-Key``). A ``CallError`` that leaves a function unhandled
is answered with its status and a marker not to retry: the layer directly above a failure
retries, and no other, or three layers make 27 attempts of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from http import HTTPStatus
from typing import Any, ClassVar, dataclass_transform

from msgspec import Struct

_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Retry(Enum):
    NEVER = "never"
    REPEATABLE = "repeatable"
    SAFE = "safe"


class Error(Exception):
    """The root of everything Skerry raises on purpose."""


class ConfigError(Error):
    """The code, ``fleet.toml`` or the settings contradict themselves. Raised at start."""


def nearest(word: str, known: Iterable[str]) -> str:
    """`` Did you mean 'x'?``, or all there is, for the end of a message about a wrong name."""
    import difflib  # only whoever mistypes pays for it

    names = sorted(known)
    found = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if found:
        return f" Did you mean {found[0]!r}?"
    return f" There is {', '.join(names)}." if names else ""


class Fault(Struct, frozen=True, order=True):
    """One thing wrong with a request.

    Attributes:
        pointer: where: ``#/items/0/amount`` in the body (an RFC 6901 pointer as a URI
            fragment), or ``query/limit``, ``header/x-tenant``, ``path/id``.
        detail: what is wrong there, for a person.
    """

    pointer: str
    detail: str


@dataclass_transform(kw_only_default=True)
class _Declared(Error):
    """Tells type checkers that annotations below are arguments (PEP 681 wants a base for it)."""


class Problem(_Declared):
    """An answer that says what is wrong: RFC 9457 problem details.

    Declare one by subclassing; the docstring's first line becomes its title, annotations become
    members of the document and arguments of the constructor::

        class CurrencyUnknown(Problem, status=422):
            \"\"\"No rate is published for this currency.\"\"\"
            currency: str

        raise CurrencyUnknown(currency="XXX", detail="XXX is not in today's list.")

    Class keywords:
        status: the HTTP status, 400 to 599; inherited.
        type: a URI that names the problem for good; by default derived from the class name.
        title: one line for people; by default the docstring's first line.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "about:blank"
    title: ClassVar[str] = ""
    retry: ClassVar[Retry] = Retry.NEVER
    members: ClassVar[tuple[str, ...]] = ()
    detail: str = ""
    answered_by: ClassVar[str] = ""
    """Who gave this answer, where a client raises it: ``schools.get_school``. An app answers with
    its own problems only, so such a one, left unhandled, is a failed call: 502."""

    def __init_subclass__(
        cls, status: int | None = None, type: str | None = None, title: str | None = None
    ) -> None:
        super().__init_subclass__()
        if status is not None:
            if not 400 <= status <= 599:
                raise ConfigError(f"{cls.__name__}: a problem's status is 400 to 599, not {status}")
            cls.status = status
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", cls.__name__)
        cls.type = type or "urn:problem-type:" + words.lower().replace(" ", "-")
        doc = (cls.__dict__.get("__doc__") or "").strip().partition("\n")[0]
        if cls.type == "about:blank" and cls.status in _PHRASES:
            cls.title = _PHRASES[cls.status]  # it says no more than its status (RFC 9457, 4.2.1)
        else:
            cls.title = title or doc.rstrip(".") or words.capitalize()
        own = [
            name
            for name, hint in cls.__annotations__.items()
            if not name.startswith("_") and "ClassVar" not in str(hint) and name != "detail"
        ]
        if clash := ({*dir(Problem), "instance"} - {"detail"}).intersection(own):
            raise ConfigError(f"{cls.__name__}: {min(clash)!r} is a member every problem has")
        cls.members = (*cls.members, *(name for name in own if name not in cls.members))

    def __init__(self, **members: Any) -> None:
        detail = members.pop("detail", "")
        unknown = members.keys() - set(self.members)
        if unknown:
            raise TypeError(f"{self.__class__.__name__} has no member {min(unknown)!r}")
        for name in self.members:
            if name in members:
                setattr(self, name, members[name])
            elif not hasattr(self.__class__, name):
                raise TypeError(f"{self.__class__.__name__} needs {name!r}")
        self.detail = detail
        super().__init__(detail or self.title)

    def document(self) -> dict[str, Any]:
        """The problem as the JSON object that goes on the wire."""
        body: dict[str, Any] = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail:
            body["detail"] = self.detail
        for name in self.members:
            body[name] = getattr(self, name)
        return body

    def headers(self) -> Mapping[str, str]:
        """Headers that belong to this answer (``Allow``, ``Retry-After``)."""
        return {}

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: getattr(self, name) for name in self.members}
        return _rebuild, (self.__class__, {**state, "detail": self.detail})


def unhandled(problem: Problem) -> CallError:
    """The failed call that another app's problem is, to whoever called without expecting it."""
    app, _, operation = problem.answered_by.partition(".")
    said = f"{operation or 'a call'} was answered with {problem.status} {problem.title}"
    return UnexpectedResponse(said, app=app, response_status=problem.status)


def _rebuild(cls: type[Problem], members: dict[str, Any]) -> Problem:
    return cls(**members)


class BadRequest(Problem, status=400, type="about:blank"):
    """The request cannot be read."""


class Unauthorized(Problem, status=401, type="about:blank"):
    """Nobody knows who asks."""

    scheme: str = "Bearer"

    def headers(self) -> Mapping[str, str]:
        return {"www-authenticate": self.scheme}


class Forbidden(Problem, status=403, type="about:blank"):
    """Whoever asks may not."""


class NotFound(Problem, status=404, type="about:blank"):
    """There is nothing here."""


class MethodNotAllowed(Problem, status=405, type="about:blank"):
    """There is something here, which does not do this."""

    allow: tuple[str, ...] = ()

    def headers(self) -> Mapping[str, str]:
        return {"allow": ", ".join(self.allow)}


class Conflict(Problem, status=409, type="about:blank"):
    """The state of things does not allow this now."""


class BodyTooLarge(Problem, status=413, type="about:blank"):
    """The body is larger than this endpoint reads."""

    limit: int


class UnsupportedMediaType(Problem, status=415, type="about:blank"):
    """The body is not in a format this endpoint reads."""

    supported: tuple[str, ...] = ()


class Invalid(Problem, status=422, type="urn:problem-type:invalid-request"):
    """The request does not fit the contract.

    Members:
        errors: all of them, not only the first.
    """

    errors: list[Fault]


class IdempotencyKeyMissing(Problem, status=400, type="urn:problem-type:idempotency-key-missing"):
    """Idempotency-Key is missing."""


class IdempotencyKeyInFlight(
    Problem, status=409, type="urn:problem-type:idempotency-key-in-flight"
):
    """A request is outstanding for this Idempotency-Key.

    Members:
        retry_after: seconds after which it may have its answer.
    """

    retry = Retry.REPEATABLE
    retry_after: float = 1.0

    def headers(self) -> Mapping[str, str]:
        return _come_back(self.retry_after)


class IdempotencyKeyReused(Problem, status=422, type="urn:problem-type:idempotency-key-reused"):
    """Idempotency-Key is already used for another request."""


class Internal(Problem, status=500, type="about:blank"):
    """The app failed. What happened is in its log, never in the answer."""


class Overloaded(Problem, status=503, type="about:blank"):
    """The app refuses work it could not finish in time; nothing was done.

    Members:
        retry_after: seconds after which trying again may help.
    """

    retry = Retry.SAFE
    retry_after: float = 1.0

    def headers(self) -> Mapping[str, str]:
        return _come_back(self.retry_after)


def _come_back(seconds: float) -> Mapping[str, str]:
    return {
        "retry-after": str(max(1, round(seconds))),
        "grpc-retry-pushback-ms": str(round(seconds * 1000)),
    }


class CallError(Error):
    """A call to another app got no answer it could use.

    Args:
        detail: what happened, for a person.
        app: who was called.
        retry: overrides the class's own; the retry filter sets NEVER on what it gives up on.
    """

    status: ClassVar[int] = 502
    retry: Retry = Retry.NEVER

    def __init__(self, detail: str = "", *, app: str = "", retry: Retry | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.app = app
        if retry is not None:
            self.retry = retry

    def __str__(self) -> str:
        return f"{self.app}: {self.detail}" if self.app else self.detail


class ConnectError(CallError):
    """No connection could be made, so nothing was sent."""

    status = 503
    retry = Retry.SAFE


class NoInstance(CallError):
    """No instance of the app is known, nor came while the balancer waited for one."""

    status = 503


class BreakerOpen(CallError):
    """The instance has been failing, and is left alone for a while; nothing was sent."""

    status = 503
    retry = Retry.SAFE


class ConnectionLost(CallError):
    """The connection broke after something had been sent: nobody knows whether it was done."""

    status = 502
    retry = Retry.REPEATABLE


class AttemptTimeout(CallError):
    """One attempt took longer than an attempt may."""

    status = 504
    retry = Retry.REPEATABLE


class DeadlineExceeded(CallError):
    """The whole call took longer than its caller waits."""

    status = 504


class BusUnavailable(CallError):
    """The broker cannot be reached, or refuses: nothing was accepted."""

    status = 503
    retry = Retry.SAFE


class Unconfirmed(CallError):
    """The broker was lost before it had said that it accepted a message."""

    status = 502
    retry = Retry.REPEATABLE


class UnexpectedResponse(CallError):
    """The answer is not one that the contract speaks of.

    Args:
        response_status: its HTTP status.
        body: the beginning of its body.
    """

    status = 502

    def __init__(
        self, detail: str = "", *, app: str = "", response_status: int = 0, body: bytes = b""
    ) -> None:
        super().__init__(detail, app=app)
        self.response_status = response_status
        self.body = body[:2000]

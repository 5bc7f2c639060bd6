"""What is posted to a collector, and asked of it then: after Zipkin's tests of its storage.

Each scenario has an hour of its own, and its own ids and names, so that all can be posted to
one server that cannot be emptied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from .spans import TODAY, span

HOUR = 3_600_000

Json = dict[str, Any]


@dataclass
class Scenario:
    """Requests to be posted, and paths to be asked for; in order."""

    name: str
    number: int
    posts: list[list[Json]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def start(self) -> int:
        """Its first millisecond."""
        return TODAY - (self.number + 1) * HOUR

    def at(self, ms: float) -> int:
        """Microseconds, so many milliseconds into its hour."""
        return int((self.start + ms) * 1000)

    def trace(self, number: int, high: int = 0) -> str:
        low = f"{self.number + 1:08x}{number:08x}"
        return f"{high:016x}{low}" if high else low

    def name_of(self, service: str) -> str:
        return f"{service}-{self.number}"

    def span(self, trace: str, id: str, **fields: Any) -> Json:
        for side in ("service", "remote"):
            if fields.get(side):
                fields[side] = self.name_of(fields[side])
        if "ms" in fields:
            fields["timestamp"] = self.at(fields.pop("ms"))
        return span(trace, id, **fields)

    def post(self, *spans: Json) -> None:
        self.posts.append(list(spans))

    def ask(self, path: str, **query: Any) -> None:
        self.paths.append(f"/api/v2/{path}" + (f"?{urlencode(query)}" if query else ""))

    def find(self, **query: Any) -> None:
        """Ask for traces in its hour."""
        for side in ("serviceName", "remoteServiceName"):
            if side in query:
                query[side] = self.name_of(query[side])
        end = self.start + query.pop("until", HOUR - 1)
        self.ask("traces", **{"endTs": end, "lookback": HOUR - 1, **query})

    def links(self, end: int = HOUR - 1, lookback: int = HOUR - 1) -> None:
        self.ask("dependencies", endTs=self.start + end, lookback=lookback)


_made: list[tuple[str, Callable[[Scenario], None]]] = []


def scenario(function: Callable[[Scenario], None]) -> Callable[[Scenario], None]:
    _made.append((function.__name__, function))
    return function


def scenarios() -> Iterator[Scenario]:
    for number, (name, function) in enumerate(_made):
        made = Scenario(name, number)
        function(made)
        yield made


@scenario
def a_call_between_two_services(s: Scenario) -> None:
    t = s.trace(1, high=7)
    s.post(
        s.span(t, "1", service="web", kind="SERVER", name="GET /", ms=1, duration=5000),
        s.span(t, "2", parentId="1", service="web", remote="app", kind="CLIENT", ms=2,
               duration=3000),
        s.span(
            t, "3", parentId="2", service="app", kind="SERVER", name="get /a", ms=3, duration=1000,
            tags={"http.path": "/a", "env": "prod", "error": ""},
            annotations=[
                {"timestamp": s.at(3.5), "value": "wr"}, {"timestamp": s.at(3.1), "value": "ws"},
            ],
        ),
    )  # fmt: skip
    s.find()
    s.find(serviceName="web", spanName="get /")
    s.find(serviceName="WEB", spanName="GET /")
    s.find(serviceName="web", spanName="all")
    s.find(serviceName="web", spanName="get /a")
    s.find(serviceName="web", remoteServiceName="app")
    s.find(remoteServiceName="web")
    s.find(annotationQuery="error")
    s.find(annotationQuery="error and http.path=/a and ws")
    s.find(annotationQuery="error=1")
    s.find(annotationQuery="http.path")
    s.find(serviceName="web", annotationQuery="ws")
    s.find(minDuration=5000)
    s.find(minDuration=5001)
    s.find(serviceName="app", minDuration=900, maxDuration=1000)
    s.find(serviceName="app", minDuration=3000)
    s.ask(f"trace/{t}")
    s.ask(f"trace/{t[16:]}")
    s.ask(f"trace/{t.lstrip('0')}")
    s.ask("traceMany", traceIds=f"{t},abc")
    s.links()
    for kind in ("spans", "remoteServices"):
        s.ask(kind, serviceName=s.name_of("web"))
        s.ask(kind, serviceName=s.name_of("WEB"))
        s.ask(kind, serviceName="nobody")


@scenario
def newest_first_up_to_the_limit(s: Scenario) -> None:
    for n in (4, 2, 9, 1, 7, 3, 12, 5, 8, 6, 11, 10):
        s.post(s.span(s.trace(n), "1", service="web", ms=n * 1000, duration=n))
    s.find()
    s.find(limit=3)
    s.find(limit=100)
    s.find(until=5000)
    s.find(until=5000, lookback=2000)
    s.find(until=5500, lookback=100)
    s.find(limit=2, minDuration=3, maxDuration=7)


@scenario
def in_one_millisecond_by_id(s: Scenario) -> None:
    for n in (3, 1, 2):
        s.post(s.span(s.trace(n), "1", service="web", timestamp=s.at(10) + n))
    s.find()
    s.find(limit=2)


@scenario
def a_trace_that_goes_on_after_the_end(s: Scenario) -> None:
    s.post(
        s.span(s.trace(1), "1", service="web", ms=1000, duration=9_000_000),
        s.span(s.trace(1), "2", parentId="1", service="app", ms=9000),
        s.span(s.trace(2), "1", service="web", ms=2000),
    )
    s.find()
    s.find(until=5000)
    s.find(until=5000, lookback=3500)
    s.find(until=9500, lookback=1000)
    s.find(until=2000, lookback=1000, limit=1)


@scenario
def a_server_that_shares_its_clients_span(s: Scenario) -> None:
    t = s.trace(1)
    s.post(
        s.span(t, "1", service="web", kind="SERVER", ms=1, duration=5000),
        s.span(t, "2", parentId="1", service="web", kind="CLIENT", ms=2, duration=3000, debug=True),
        s.span(
            t, "2", parentId="1", service="app", kind="SERVER", ms=3, duration=1000, shared=True
        ),
        s.span(t, "3", parentId="2", service="app", remote="db", kind="CLIENT", ms=3, duration=10),
    )
    s.find()
    s.ask(f"trace/{t}")
    s.links()


@scenario
def a_server_that_forgot_to_say_shared(s: Scenario) -> None:
    t = s.trace(1)
    s.post(
        s.span(t, "1", service="web", kind="SERVER", ms=1),
        s.span(t, "2", parentId="1", service="web", kind="CLIENT", ms=2),
        s.span(t, "2", service="app", kind="SERVER", ms=3),
    )
    s.ask(f"trace/{t}")
    s.links()


@scenario
def several_servers_for_one_client_span(s: Scenario) -> None:
    t = s.trace(1)
    s.post(
        s.span(t, "1", service="web", kind="CLIENT", ms=1),
        s.span(t, "1", service="app", kind="SERVER", ms=2, shared=True),
        s.span(t, "1", service="app2", kind="SERVER", ms=3, shared=True),
        s.span(t, "4", parentId="1", service="app2", remote="db", kind="CLIENT", ms=3),
    )
    s.find()
    s.links()


@scenario
def ids_of_64_and_of_128_bits(s: Scenario) -> None:
    short, long, other = s.trace(1), s.trace(1, high=1), s.trace(1, high=2)
    for number, t in enumerate((short, long, other)):
        s.post(s.span(t, "1", service="web", ms=10, tags={"foo": f"{number}"}))
    s.find()
    s.find(limit=1)
    for number, t in enumerate((short, long, other)):
        s.find(serviceName="web", annotationQuery=f"foo={number}")
        s.ask(f"trace/{t}")
    s.ask("traceMany", traceIds=f"{long},{short}")
    s.ask("traceMany", traceIds=f"{other},{s.trace(99)}")
    s.links()


@scenario
def a_trace_whose_server_dropped_the_high_bits(s: Scenario) -> None:
    t = s.trace(1, high=5)
    s.post(
        s.span(t, "1", service="web", kind="SERVER", ms=1, duration=350_000),
        s.span(t[16:], "2", parentId="1", service="app", kind="SERVER", shared=True, ms=3),
        s.span(t, "2", parentId="1", service="web", kind="CLIENT", ms=2),
    )
    s.find()
    s.links()


@scenario
def messages_by_a_broker(s: Scenario) -> None:
    t = s.trace(1)
    s.post(
        s.span(t, "1", service="bank", remote="kafka", kind="PRODUCER", ms=1, duration=1),
        s.span(t, "2", parentId="1", service="ledger", remote="kafka", kind="CONSUMER", ms=2),
        s.span(t, "3", parentId="1", service="notify", kind="CONSUMER", ms=2),
        s.span(t, "4", parentId="2", service="ledger", remote="db", kind="CLIENT", ms=3,
               tags={"error": "locked"}),
        s.span(s.trace(2), "1", service="bank", kind="PRODUCER", ms=1),
        s.span(s.trace(2), "2", parentId="1", service="odd", kind="SERVER", ms=2),
    )  # fmt: skip
    s.links()


@scenario
def late_and_repeated_spans(s: Scenario) -> None:
    t = s.trace(1)
    whole = s.span(t, "1", service="web", kind="SERVER", name="get", ms=1, duration=500)
    s.post(whole | {"duration": 0})
    s.post(s.span(t, "1", service="web", ms=1, duration=500, tags={"late": "1"}))
    s.post(whole, whole)
    s.post(s.span(t, "2", parentId="1", service="app", kind="SERVER", ms=2))
    s.find()
    s.find(minDuration=500)
    s.find(minDuration=501)
    s.ask(f"trace/{t}")
    s.links()


@scenario
def spans_without_a_time(s: Scenario) -> None:
    s.post(s.span(s.trace(1), "1", service="web"))
    s.post(s.span(s.trace(2), "1", service="web", duration=0, timestamp=0))
    s.post(s.span(s.trace(3), "1", service="web"), s.span(s.trace(3), "2", parentId="1", ms=5))
    s.find()
    s.find(serviceName="web")
    for n in (1, 2, 3):
        s.ask(f"trace/{s.trace(n)}")
    s.links()


@scenario
def traces_without_a_root(s: Scenario) -> None:
    t = s.trace(1)
    s.post(
        s.span(t, "3", parentId="2", service="app", kind="SERVER", ms=5, duration=10),
        s.span(t, "2", parentId="1", service="web", kind="CLIENT", ms=4, duration=20),
        s.span(t, "9", parentId="8", service="other", kind="SERVER", remote="web", ms=6),
    )
    s.find()
    s.links()


@scenario
def spans_that_are_each_others_parents(s: Scenario) -> None:
    t = s.trace(1)
    s.post(
        s.span(t, "1", parentId="2", service="web", kind="CLIENT", ms=1),
        s.span(t, "2", parentId="1", service="app", kind="SERVER", ms=2),
        s.span(t, "3", parentId="3", service="app", remote="db", kind="CLIENT", ms=3),
    )
    s.find()
    s.links()


@scenario
def names_that_are_missing(s: Scenario) -> None:
    t = s.trace(1)
    s.post(
        s.span(t, "20", kind="SERVER", remote="web", ms=1, localEndpoint={"ipv4": "172.17.0.4"}),
        s.span(t, "21", parentId="20", service="web", remote="app", ms=2, name=""),
        s.span(t, "22", parentId="21", service="app", remote="db", ms=3),
        s.span(t, "23", parentId="21", kind="CLIENT", remote="cache", ms=3),
        s.span(t, "24", parentId="21", service="missing-server", kind="CLIENT", ms=4),
    )
    s.find()
    s.links()
    s.ask("spans", serviceName=s.name_of("web"))


@scenario
def errors_on_either_side(s: Scenario) -> None:
    for n, (client, server) in enumerate([(True, False), (False, True), (True, True)]):
        t = s.trace(n + 1)
        tags = [{"error": ""} if failed else None for failed in (client, server)]
        s.post(
            s.span(t, "1", service="web", kind="CLIENT", ms=1, tags=tags[0]),
            s.span(t, "2", parentId="1", service="app", kind="SERVER", ms=2, tags=tags[1]),
            s.span(s.trace(n + 11), "1", service="a", kind="CLIENT", ms=1, tags=tags[0]),
            s.span(
                s.trace(n + 11), "1", service="b", kind="SERVER", ms=2, tags=tags[1], shared=True
            ),
        )
    s.links()


@scenario
def endpoints_in_all_forms(s: Scenario) -> None:
    addresses = [
        {"ipv4": "10.0.0.1"}, {"ipv6": "2001:db8::c001"}, {"ipv4": "not one"}, {"ipv6": "::1"},
        {"ipv6": "::ffff:1.2.3.4"}, {"ipv6": "2001:DB8:0:0:1:0:0:1"}, {"ipv4": "2001:db8::1"}, {},
        {"port": 0}, {"ipv6": "::"}, {"ipv4": "1.2.3.4", "ipv6": "2001:db8::2", "port": 80},
    ]  # fmt: skip
    t = s.trace(1)
    s.post(
        *(
            s.span(t, f"{n + 1:x}", ms=n, localEndpoint={"serviceName": s.name_of("Web"), **one},
                   remoteEndpoint=one)
            for n, one in enumerate(addresses)
        )
    )  # fmt: skip
    s.find(serviceName="web")


@scenario
def text_of_all_kinds(s: Scenario) -> None:
    t = s.trace(1)
    s.post(
        s.span(
            t, "1", service="个人信息服务", name='{"foo":"bar"}', ms=1,
            tags={
                "http.path": "/api", "http.path.more": "a\tb\\\"c\u2028", "emoji": "🪨",
                "empty": "",
            },
            annotations=[{"timestamp": s.at(1), "value": "a and b"}],
        )
    )  # fmt: skip
    s.find()
    s.find(serviceName="个人信息服务", spanName='{"foo":"bar"}')
    s.find(annotationQuery="emoji=🪨 and http.path=/api")
    s.find(annotationQuery="empty")
    s.find(annotationQuery="empty=")
    s.find(annotationQuery=" http.path = /api ")
    s.find(annotationQuery="http.path and http.path=/api")
    s.find(annotationQuery="http.path=/other and http.path=/api")
    s.ask("spans", serviceName=s.name_of("个人信息服务"))


@scenario
def what_is_not_a_query(s: Scenario) -> None:
    for query in (
        {"limit": 0}, {"limit": -1}, {"lookback": 0}, {"endTs": 0}, {"minDuration": 0},
        {"maxDuration": 5}, {"minDuration": 5, "maxDuration": 4},
    ):  # fmt: skip
        s.ask("traces", **query)
    s.ask("trace/0e8b46e1-81b")
    s.ask("trace/0")
    s.ask("trace/" + "1" * 33)
    s.ask("traceMany", traceIds="")
    s.ask("traceMany", traceIds="abc")
    s.ask("traceMany", traceIds="abc,0abc")
    s.ask("traceMany", traceIds="abc,xyz")
    s.ask("dependencies", endTs=0)
    s.ask("dependencies", endTs=1, lookback=0)
    s.ask("autocompleteValues", key="")
    s.ask("autocompleteKeys")

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator

import pytest

from skerry.core.clock import ManualClock
from skerry.core.context import EMPTY, Context, attach, current, detach, extract
from skerry.core.errors import ConfigError, NoInstance
from skerry.core.instance import Address, Status
from skerry.core.service import Service
from skerry.core.wire import Headers, Request, Response, Stream
from skerry.discovery.fleet import FleetDiscovery
from skerry.discovery.static import StaticDiscovery
from skerry.filters.deadline import DeadlineSettings
from skerry.stack.client import ClientSettings
from skerry.stack.connector import Connector, connection, default_connector
from skerry.telemetry.metrics import Metrics, count
from skerry.transport.loopback import provide, withdraw

REQUEST = Request("GET", "/quotes", route="list_quotes")


class Network:
    def __init__(self) -> None:
        self.sent: list[tuple[str, Request]] = []
        self.closed = 0

    def connect(self, address: Address, /) -> Service[Request, Response]:
        async def service(request: Request) -> Response:
            self.sent.append((address.url, request))
            return Response(200, body=b"from the network")

        return service

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def nobody_else() -> Iterator[None]:
    token = attach(EMPTY)
    yield
    detach(token)


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def connector(network: Network) -> Connector:
    found = StaticDiscovery({"quotes": ["http://a", "http://b"], "stripe": ["https://s/v1"]})
    return Connector("portal", found, network, rng=random.Random(1))


@pytest.fixture
def in_process() -> Iterator[list[Context]]:
    seen: list[Context] = []

    async def app(request: Request) -> Response:
        assert current() is EMPTY
        seen.append(extract(request.headers, now=0.0))
        return Response(200, Headers.of({"x-app": "here"}), b"from here")

    provide("quotes", app)
    yield seen
    withdraw("quotes")


async def test_clients_are_made_once(connector: Connector) -> None:
    assert connector.service("quotes") is connector.service("quotes")
    assert connector.service("quotes") is not connector.service("stripe")


async def test_calls_are_spread_and_counted(connector: Connector, network: Network) -> None:
    service = connector.service("quotes")
    assert connector.instances("quotes") == []
    for _ in range(50):
        assert (await service(REQUEST)).status == 200
    assert {url for url, _ in network.sent} == {"http://a", "http://b"}
    snapshot = connector.metrics.snapshot()
    assert count(snapshot, "ok", kind="client", app="portal", peer="quotes") == 50
    assert count(snapshot, "ok", kind="attempt", route="list_quotes") == 50
    candidates = connector.instances("quotes")
    assert sorted(candidate.address.id for candidate in candidates) == ["quotes-1", "quotes-2"]
    assert {candidate.status for candidate in candidates} == {Status.OPEN}


async def test_an_app_in_this_process_needs_no_socket(
    connector: Connector, network: Network, in_process: list[Context]
) -> None:
    attach(Context(baggage={"tenant": "a"}))
    response = await connector.service("quotes")(REQUEST)
    assert response.body == b"from here"
    assert network.sent == []
    assert in_process[0].baggage == {"tenant": "a"}
    assert 4.0 < (in_process[0].deadline or 0.0) <= 5.0
    assert count(connector.metrics.snapshot(), "ok", kind="attempt", peer="quotes") == 1


async def test_where_apps_run_may_change(connector: Connector, in_process: list[Context]) -> None:
    service = connector.service("quotes")
    assert (await service(REQUEST)).body == b"from here"
    withdraw("quotes")
    assert (await service(REQUEST)).body == b"from the network"


async def test_or_local_calls_may_be_declined(network: Network, in_process: list[Context]) -> None:
    found = StaticDiscovery({"quotes": ["http://a"]})
    service = Connector("portal", found, network, local=False).service("quotes")
    assert (await service(REQUEST)).body == b"from the network"


async def test_whoever_is_unknown_is_an_error_of_the_call() -> None:
    connector = Connector("portal", StaticDiscovery({}))
    with pytest.raises(NoInstance, match="nobody: no address"):
        await connector.service("nobody")(REQUEST)


async def test_settings_can_differ_by_app(network: Network) -> None:
    strict = ClientSettings(deadline=DeadlineSettings(timeout=0.5))
    connector = Connector("portal", transport=network, overrides={"quotes": strict})
    rows = {row.role: row.filter for row in connector.describe("quotes")}
    assert rows["deadline"] == "Deadline(timeout=0.5 s, idle=60 s)"
    assert rows["transport"] == "Network"
    others = {row.role: row.filter for row in connector.describe("schools")}
    assert others["deadline"] == "Deadline(timeout=10 s, idle=60 s)"


async def test_settings_may_come_after_the_client_and_before_the_first_call(
    network: Network,
) -> None:
    overrides: dict[str, ClientSettings] = {}
    found = StaticDiscovery({"quotes": ["http://a"]})
    connector = Connector("portal", found, network, overrides=overrides)
    service = connector.service("quotes")
    overrides["quotes"] = ClientSettings(propagate=False)
    attach(Context(deadline=1e9))
    await service(REQUEST)
    assert network.sent[0][1].headers.raw == []


def test_one_client_is_good_in_any_event_loop(connector: Connector, network: Network) -> None:
    service = connector.service("quotes")

    async def call() -> None:
        assert (await service(REQUEST)).status == 200
        assert len(connector.instances("quotes")) == 2

    for _ in range(3):
        asyncio.run(call())
    assert len(network.sent) == 3
    assert count(connector.metrics.snapshot(), kind="client") == 3


async def test_closing_ends_what_was_begun(connector: Connector, network: Network) -> None:
    service = connector.service("quotes")
    await service(REQUEST)
    await connector.close()
    assert network.closed == 1
    assert connector.instances("quotes") == []


async def test_a_url_can_be_a_client(network: Network) -> None:
    one = connection("https://api.stripe.example/v1", caller="portal", transport=network)
    assert (await one(REQUEST)).status == 200
    assert [(url, r.path) for url, r in network.sent] == [
        ("https://api.stripe.example", "/v1/quotes")
    ]
    snapshot = one.connector.metrics.snapshot()
    assert {series["peer"] for series in snapshot["series"]} == {"api.stripe.example"}
    await one.close()
    assert network.closed == 1


async def test_what_is_no_url_cannot() -> None:
    with pytest.raises(ConfigError):
        connection("stripe")


async def test_over_http() -> None:
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    one = connection(f"http://127.0.0.1:{port}/v1", caller="portal", app="there")
    try:
        response = await one(REQUEST)
    finally:
        await one.close()
        server.close()
    assert response.body == b"hi"
    assert requests[0].startswith(b"GET /v1/quotes HTTP/1.1\r\n")
    assert b"\r\ngrpc-timeout: 5000000u\r\n" in requests[0].lower()


class TestSurroundings:
    async def test_the_environment_names_apps(self, in_process: list[Context]) -> None:
        metrics = Metrics()
        connector = default_connector("portal", metrics, environ={"QUOTES_URL": "http://a:1"})
        assert connector.metrics is metrics
        assert (await connector.service("quotes")(REQUEST)).body == b"from here"
        with pytest.raises(NoInstance, match="SCHOOLS_URL"):
            await connector.service("schools")(REQUEST)
        await connector.close()

    @pytest.mark.parametrize("path", ["rubbish", "control.sock", "/", __file__])
    def test_what_is_no_control_socket_is_refused(self, path: str) -> None:
        with pytest.raises(ConfigError, match="SKERRY_CONTROL is not the path of a socket"):
            default_connector("portal", environ={"SKERRY_CONTROL": path})

    def test_a_malformed_address_is_told_before_any_call(self) -> None:
        connector = default_connector("portal", environ={"QUOTES_URL": "htp:/x"})
        with pytest.raises(ConfigError, match="QUOTES_URL is not an HTTP URL"):
            connector.service("quotes")

    async def test_a_fleet_is_watched_and_may_be_gone(self, tmp_path: object) -> None:
        environ = {"SKERRY_CONTROL": f"{tmp_path}/control.sock"}
        settings = ClientSettings(deadline=DeadlineSettings(timeout=0.05))
        connector = default_connector("portal", settings=settings, environ=environ)
        with pytest.raises(Exception, match="quotes") as caught:
            await connector.service("quotes")(REQUEST)
        assert type(caught.value).__name__ in ("DeadlineExceeded", "NoInstance")
        await connector.close()


async def test_instances_of_a_fleet_reach_the_client(network: Network) -> None:
    clock = ManualClock()
    lines: asyncio.Queue[bytes] = asyncio.Queue()

    async def control(request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            while True:
                yield await lines.get()

        return Response(200, body=Stream(chunks()))

    connector = Connector("portal", FleetDiscovery(control, clock), network, clock=clock)
    task = asyncio.ensure_future(connector.service("quotes")(REQUEST))
    await clock.advance(0.1)
    assert not task.done()
    lines.put_nowait(b'{"apps": {"quotes": [{"url": "http://a", "id": "quotes-1"}]}}\n')
    await clock.advance(0.1)
    assert (await task).body == b"from the network"
    await connector.close()

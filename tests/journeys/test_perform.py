"""A journey, performed: what it is given, where its calls are in the trace, how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated

import msgspec
import pytest
from msgspec import Struct

from skerry import (
    ConfigError,
    Context,
    DynamicClient,
    Http,
    Run,
    Secret,
    amend,
    current,
    journey,
    step,
)
from skerry.clients.runtime import Client, Endpoint, path
from skerry.core.context import Trace
from skerry.journeys import spans
from skerry.journeys.model import Result, StepResult
from skerry.journeys.perform import perform
from skerry.journeys.place import Place, reach
from skerry.journeys.spans import Spanned
from skerry.telemetry.metrics import Metrics

from .support import Order, Shop, served


class ShopClient(Client):
    """As it would be generated."""

    __app__ = "shop"

    async def get_order(self, id: str) -> Order:
        return await self._call(_GET, id)


_GET = Endpoint[Order]("get_order", "GET", "/orders/{id}", path("id"), answers={200: Order})


@pytest.fixture
def recorded() -> Iterator[list[Spanned]]:
    found: list[Spanned] = []
    spans.record_with(found.append)
    yield found
    spans.record_with(None)


async def test_it_is_given_what_it_asks_for_by_type(place: Place, shop: Shop) -> None:
    @journey
    async def buy(shop: DynamicClient, client: ShopClient, http: Http, run: Run) -> None:
        with step("order"):
            order = await shop.create_order({"what": run.id})
            assert order.state == "new"
        with step("look"):
            assert (await client.get_order(run.id)).id == run.id
        with step("front page"):
            assert "Shop" in (await http.get("/")).ok().text

    result = await perform(buy, place)
    assert result.error is None
    assert result.ok
    assert [(one.name, one.ok, one.error) for one in result.steps] == [
        ("order", True, None),
        ("look", True, None),
        ("front page", True, None),
    ]
    assert list(shop.orders) == [result.run]
    assert 0 < result.duration < 30
    assert sum(one.ms for one in result.steps) <= result.duration * 1000


async def test_one_app_by_http_and_a_client_by_another_name(place: Place) -> None:
    @journey
    async def buy(
        http: Annotated[Http, "shop"], anything: Annotated[DynamicClient, "shop"]
    ) -> None:
        assert (await http.post("/orders", json={"what": "tea"})).status == 201
        assert (await anything.get_order("tea")).state == "new"

    assert (await perform(buy, place)).error is None


async def test_settings_come_from_the_environment(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Payer(Struct):
        email: str
        password: Secret[str]

    seen = []

    @journey
    async def sign_in(payer: Annotated[Payer, "PAYER_"]) -> None:
        seen.append((payer.email, payer.password.reveal()))

    missing = await perform(sign_in, place)
    assert missing.error is not None
    assert "PAYER_EMAIL is not set" in missing.error.message
    monkeypatch.setenv("PAYER_EMAIL", "a@b.example")
    monkeypatch.setenv("PAYER_PASSWORD", "x")
    assert (await perform(sign_in, place)).ok
    assert seen == [("a@b.example", "x")]


async def test_a_run_is_one_trace_and_says_that_it_is_synthetic(
    place: Place, shop: Shop, recorded: list[Spanned]
) -> None:
    @journey(within=20)
    async def buy(shop: DynamicClient, http: Http) -> None:
        places.append(current().trace)
        with step("order"):
            places.append(current().trace)
            await shop.create_order({"what": "tea"})
            with step("look"):
                places.append(current().trace)
                await shop.get_order("tea")
        assert current().trace == places[0]
        await http.get("/basket")

    places: list[Trace | None] = []
    amend(baggage={"tenant": "whoever runs it"})
    result = await perform(buy, place)
    assert result.ok
    (created,) = shop.contexts("create_order")
    (looked,) = shop.contexts("get_order")
    (basket,) = shop.contexts("basket")
    look, order, root = recorded
    assert [root.name, order.name, look.name] == ["buy", "order", "look"]
    assert (root.parent, order.parent, look.parent) == (0, root.trace.span_id, order.trace.span_id)
    for context in (created, looked, basket):
        assert context.trace is not None
        assert f"{context.trace.trace_id:032x}" == result.trace
        assert context.baggage == {"synthetic": "buy"}
        assert context.deadline is not None
    assert root.attributes == {
        "journey": "buy",
        "journey.run": result.run,
        "synthetic": True,
    }
    assert places == [root.trace, order.trace, look.trace]
    assert root.duration >= order.duration >= look.duration > 0
    assert {one.error for one in recorded} == {""}


async def test_two_runs_are_two_traces_and_two_ids(place: Place) -> None:
    @journey
    async def nothing() -> None:
        pass

    first, second = await perform(nothing, place), await perform(nothing, place)
    assert first.trace != second.trace
    assert first.run != second.run


async def test_a_failure_names_step_line_and_values(place: Place) -> None:
    @journey
    async def buy(shop: DynamicClient) -> None:
        with step("order"):
            order = await shop.create_order({"what": "tea"})
        with step("check"):
            with step("state"):
                assert order.state == "paid"
        with step("never"):
            pass

    result = await perform(buy, place)
    assert not result.ok
    assert [(one.name, one.ok, one.depth) for one in result.steps] == [
        ("order", True, 0),
        ("check", False, 0),
        ("state", False, 1),
    ]
    error = result.error
    assert error is not None
    assert (error.type, error.step) == ("AssertionError", "state")
    assert "paid" in error.message
    assert "new" in error.message
    assert error.where.startswith("test_perform.py:")
    assert 'perform.py", line' not in error.stack.replace("test_perform.py", "")
    assert result.steps[2].error == error.message


async def test_a_problem_is_told_with_who_answered(place: Place, recorded: list[Spanned]) -> None:
    @journey(owner="shop team")
    async def buy(shop: DynamicClient) -> None:
        with step("order"):
            await shop.create_order({"what": "nothing"})

    result = await perform(buy, place)
    assert result.error is not None
    assert result.error.type == "SoldOut"
    assert "shop.create_order" in result.error.message
    assert "Nothing is sold out." in result.error.message
    assert result.owner == "shop team"
    assert [bool(span.error) for span in recorded] == [True, True]


async def test_what_a_step_expects_and_catches_is_no_failure(place: Place) -> None:
    @journey
    async def buy(shop: DynamicClient) -> None:
        with step("refused"):
            try:
                with step("order"):
                    await shop.create_order({"what": "nothing"})
            except Exception:
                pass
        with step("wrong"):
            raise LookupError("no such thing")

    result = await perform(buy, place)
    assert [(one.name, one.ok) for one in result.steps] == [
        ("refused", True),
        ("order", False),
        ("wrong", False),
    ]
    assert result.error is not None
    assert (result.error.step, result.error.message) == ("wrong", "no such thing")


async def test_a_run_ends_when_its_time_is_up_and_cleans_up(place: Place, shop: Shop) -> None:
    @journey(within=0.2)
    async def hang(shop: DynamicClient, run: Run) -> None:
        run.cleanup(shop.delete_order, run.id)
        with step("order"):
            await shop.create_order({"what": run.id})
        with step("wait"):
            await asyncio.sleep(60)

    result = await perform(hang, place)
    assert not result.ok
    assert result.error is not None
    assert result.error.type == "TimeoutError"
    assert result.error.message == "the run took longer than 0.2 s"
    if len(result.steps) == 3:  # a loaded machine may not have come to the second
        assert result.error.step == "wait"
    assert result.steps[-1].name == "clean up"
    assert result.steps[-1].ok
    assert shop.orders == {}
    (deleted,) = shop.contexts("delete_order")
    assert deleted.baggage == {"synthetic": "hang"}


async def test_every_cleanup_runs_the_last_first_and_one_that_fails_fails_the_run(
    place: Place,
) -> None:
    order = []

    async def tidy(what: str) -> None:
        order.append(what)
        if what == "b":
            raise RuntimeError("cannot tidy b")

    @journey
    async def untidy(run: Run) -> None:
        for what in "abc":
            run.cleanup(tidy, what)

    result = await perform(untidy, place)
    assert order == ["c", "b", "a"]
    assert not result.ok
    assert result.error is not None
    assert (result.error.message, result.error.step) == ("cannot tidy b", "clean up")


async def test_a_cleanup_that_fails_does_not_hide_why_the_run_failed(place: Place) -> None:
    async def tidy() -> None:
        raise RuntimeError("cannot tidy")

    @journey
    async def broken(run: Run) -> None:
        run.cleanup(tidy)
        raise ValueError("the reason")

    result = await perform(broken, place)
    assert result.error is not None
    assert result.error.message == "the reason"
    assert result.steps[-1].error == "cannot tidy"


async def test_whoever_cancels_a_run_gets_it_cleaned_up(place: Place) -> None:
    cleaned = []
    began = asyncio.Event()

    async def tidy() -> None:
        await asyncio.sleep(0)
        cleaned.append(True)

    @journey
    async def hang(run: Run) -> None:
        run.cleanup(tidy)
        began.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(perform(hang, place))
    await asyncio.wait_for(began.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == [True]


@pytest.mark.parametrize("how", ["exit", "cancelled", "pytest"])
async def test_what_is_no_exception_is_a_failure_too(place: Place, how: str) -> None:
    @journey
    async def odd() -> None:
        if how == "exit":
            raise SystemExit(3)
        if how == "pytest":
            pytest.fail("said so")
        raise asyncio.CancelledError

    result = await perform(odd, place)
    assert not result.ok
    assert result.error is not None
    assert result.error.type in ("SystemExit", "CancelledError", "Failed")


async def test_an_app_that_nobody_knows_is_a_failed_call(shop: Shop, place: Place) -> None:
    @journey
    async def lost(nobody: DynamicClient) -> None:
        with step("call"):
            await nobody.anything()

    result = await perform(lost, place)
    assert result.error is not None
    assert "nobody" in result.error.message.lower()
    assert result.error.step == "call"


async def test_a_watcher_sees_steps_begin_and_end(place: Place) -> None:
    seen: list[tuple[str, str, bool]] = []

    class Watcher:
        def began(self, step: StepResult) -> None:
            seen.append(("began", step.name, step.ok))

        def ended(self, step: StepResult) -> None:
            seen.append(("ended", step.name, step.ok))

    @journey
    async def two() -> None:
        with step("a"):
            pass
        with step("b"):
            raise ValueError("x")

    await perform(two, place, watcher=Watcher())
    assert seen == [
        ("began", "a", False),
        ("ended", "a", True),
        ("began", "b", False),
        ("ended", "b", False),
    ]


async def test_steps_side_by_side(place: Place, recorded: list[Spanned]) -> None:
    async def part(name: str, other: asyncio.Barrier) -> None:
        with step(name):
            await other.wait()
            with step(f"in {name}"):
                await other.wait()

    @journey
    async def both() -> None:
        barrier = asyncio.Barrier(2)
        await asyncio.gather(part("a", barrier), part("b", barrier))

    result = await perform(both, place)
    assert result.error is None
    assert {one.name: one.depth for one in result.steps} == {
        "a": 0,
        "b": 0,
        "in a": 1,
        "in b": 1,
    }
    spans_by_name = {span.name: span for span in recorded}
    for name in ("a", "b"):
        assert spans_by_name[f"in {name}"].parent == spans_by_name[name].trace.span_id
        assert spans_by_name[name].parent == spans_by_name["both"].trace.span_id


async def test_a_result_is_json_and_back(place: Place) -> None:
    @journey
    async def broken() -> None:
        with step("a", slow=0):
            raise ValueError("x")

    result = await perform(broken, place)
    encoded = msgspec.json.encode(result)
    assert msgspec.json.decode(encoded, type=Result) == result
    assert result.steps[0].slow


async def test_arguments_are_looked_at_before_anything_runs(place: Place) -> None:
    @journey
    async def odd(number: int) -> None:
        raise AssertionError("not reached")

    with pytest.raises(ConfigError, match=r"nothing provides 'number': int"):
        await perform(odd, place)


async def test_the_runners_context_is_not_the_journeys(place: Place) -> None:
    seen: list[Context] = []

    @journey
    async def look() -> None:
        seen.append(current())

    amend(baggage={"a": "b"}, criticality="sheddable")
    await perform(look, place)
    assert seen[0].baggage == {"synthetic": "look"}
    assert seen[0].criticality == "normal"


async def test_calls_are_spans_below_the_steps_that_make_them(shop: Shop) -> None:
    """A trace is fresh for its first span only, which is the run's own."""

    @journey
    async def buy(shop: DynamicClient) -> None:
        with step("order"):
            await shop.create_order({"what": "tea"})

    metrics = Metrics()
    metrics.tracer.on = True
    spans.record_with(spans.into(metrics.tracer))
    try:
        async with served(shop.app) as url:
            place = reach({"shop": url}, environ={}, metrics=metrics)
            result = await perform(buy, place)
            await place.close()
    finally:
        spans.record_with(None)
    found = {span.name: span for span in metrics.tracer.take(100)}
    run, ordered, asked = found["buy"], found["order"], found["shop.create_order"]
    assert {f"{span.trace_id:032x}" for span in found.values()} == {result.trace}
    assert len({span.span_id for span in found.values()}) == len(found)
    assert (run.parent_id, ordered.parent_id) == (0, run.span_id)
    assert asked.parent_id == ordered.span_id

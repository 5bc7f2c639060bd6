"""Journeys through a real Chromium."""

from __future__ import annotations

import asyncio
import importlib.util
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import pytest

from skerry import ConfigError, Context, Run, journey, step
from skerry.journeys.browser import chromium
from skerry.journeys.perform import perform
from skerry.journeys.place import Place, reach

from .support import Shop, served

if importlib.util.find_spec("playwright") is None:
    pytest.skip(
        "playwright is not installed: pip install 'skerry[browser]'", allow_module_level=True
    )
if chromium() is None:
    pytest.skip("there is no Chromium: apt-get install chromium", allow_module_level=True)

from playwright.async_api import Browser, BrowserContext, Page


@pytest.fixture
async def web(shop: Shop) -> AsyncIterator[Place]:
    async with served(shop.app) as url:
        place = reach({"front": url}, environ={})
        yield place
        await place.close()


def traces(contexts: list[Context]) -> set[str]:
    return {f"{context.trace.trace_id:032x}" for context in contexts if context.trace is not None}


async def test_pages_are_part_of_the_trace_and_have_their_picture_taken(
    web: Place, shop: Shop, tmp_path: Path
) -> None:
    @journey
    async def browse(page: Page, run: Run) -> None:
        with step("open"):
            await page.goto("/")
            await run.screenshot("the shop")
        with step("basket"):
            await page.get_by_role("link", name="Basket").click()
            await page.wait_for_url("**/basket")
            assert await page.title() == "Basket"

    result = await perform(browse, web, folder=tmp_path)
    assert result.error is None
    (front,), (basket,) = shop.contexts("front_page"), shop.contexts("basket")
    assert traces([front, basket]) == {result.trace}
    assert front.trace is not None
    assert basket.trace is not None
    assert front.trace.span_id != basket.trace.span_id  # each below its own step
    assert front.baggage == basket.baggage == {"synthetic": "browse"}
    (shot,) = result.screenshots
    assert (shot.name, shot.step) == ("the shop", "open")
    image = await asyncio.to_thread(Path(shot.file).read_bytes)
    assert image.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", image[16:24])
    assert (width, height) > (300, 300)


async def test_a_failure_has_its_picture(web: Place, tmp_path: Path) -> None:
    @journey
    async def browse(page: Page) -> None:
        with step("open"):
            await page.goto("/")
        with step("look"):
            assert await page.title() == "something else"

    result = await perform(browse, web, folder=tmp_path / "new")
    assert not result.ok
    (shot,) = result.screenshots
    assert (shot.name, shot.step) == ("failure", "look")
    assert Path(shot.file).parent == tmp_path / "new"
    assert shot.file in [str(file) for file in (tmp_path / "new").iterdir()]


async def test_one_browser_for_all_that_is_asked_for(web: Place) -> None:
    @journey
    async def browse(page: Page, context: BrowserContext, browser: Browser) -> None:
        assert page.context is context
        assert context.browser is browser

    assert (await perform(browse, web)).error is None


async def test_others_are_not_told_of_the_trace(web: Place, shop: Shop) -> None:
    other = Shop()
    async with served(other.app) as elsewhere:

        @journey
        async def browse(page: Page) -> None:
            await page.goto(f"{elsewhere}/basket")

        result = await perform(browse, web)
    assert result.error is None
    (seen,) = other.contexts("basket")
    assert traces([seen]) != {result.trace}
    assert seen.baggage == {}


async def test_without_a_picture_nothing_is_written(web: Place, tmp_path: Path) -> None:
    @journey
    async def browse(page: Page, name: Annotated[Page, "the same"]) -> None:
        assert page is name

    assert (await perform(browse, web, folder=tmp_path / "none")).ok
    assert not (tmp_path / "none").exists()


async def test_a_chromium_that_is_not_there(web: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_CHROMIUM", "no-such-browser")
    with pytest.raises(ConfigError, match="there is no program 'no-such-browser'"):
        chromium()

    @journey
    async def browse(page: Page) -> None:
        raise AssertionError("not reached")

    result = await perform(browse, web)
    assert result.error is not None
    assert "SKERRY_CHROMIUM" in result.error.message
    monkeypatch.setenv("SKERRY_CHROMIUM", "false")  # a program, and no browser
    result = await perform(browse, web)
    assert result.error is not None
    assert "Chromium does not start" in result.error.message

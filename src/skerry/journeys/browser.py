"""Journeys through a browser: Playwright, where one is asked for, on the Chromium that is there.

Requests to the fleet carry the trace of the step that makes them; those to anybody else do not.
"""

from __future__ import annotations

import os
import shutil
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from skerry.core.errors import ConfigError

from .place import Place
from .run import Run

INSTALL = "pip install 'skerry[browser]', and a Chromium: apt-get install chromium"

_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_PATIENCE = 5_000.0  # milliseconds for a screenshot


def chromium() -> str | None:
    """The Chromium to drive: ``SKERRY_CHROMIUM``, or one on the path; None for Playwright's own.

    Raises:
        ConfigError: the one that is named is not there.
    """
    named = os.environ.get("SKERRY_CHROMIUM")
    if named:
        found = shutil.which(named)
        if found is None:
            raise ConfigError(f"SKERRY_CHROMIUM: there is no program {named!r}")
        return found
    return next((found for name in _CHROMIUMS if (found := shutil.which(name))), None)


class Window:
    """The browser of one run: started when it is first asked for, and the run's camera."""

    def __init__(self, run: Run, place: Place, stack: AsyncExitStack) -> None:
        self._run = run
        self._place = place
        self._stack = stack
        self._made: dict[str, Any] = {}

    async def give(self, kind: str) -> Any:
        """A ``Browser``, a ``BrowserContext`` or a ``Page``, always the same one in a run.

        Raises:
            ConfigError: there is no Chromium, or it does not start.
        """
        if kind not in self._made:
            if kind == "Page":
                self._made[kind] = await (await self.give("BrowserContext")).new_page()
            elif kind == "BrowserContext":
                self._made[kind] = await self._context(await self.give("Browser"))
            else:
                self._made[kind] = await self._launch()
                self._run.camera = self
        return self._made[kind]

    async def _launch(self) -> Any:
        try:
            from playwright.async_api import Error, async_playwright
        except ImportError:
            raise ConfigError(f"this journey drives a browser: {INSTALL}") from None
        playwright = await self._stack.enter_async_context(async_playwright())
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        try:
            browser = await playwright.chromium.launch(executable_path=chromium(), args=arguments)
        except Error as error:
            said = str(error).strip().partition("\n")[0]
            raise ConfigError(f"Chromium does not start: {said}; {INSTALL}") from None
        self._stack.push_async_callback(browser.close)
        return browser

    async def _context(self, browser: Any) -> Any:
        context = await browser.new_context(base_url=await self._place.front() or None)
        await context.route(self._place.is_ours, self._trace)
        return context

    async def _trace(self, route: Any) -> None:
        """Send a request of the page on, as part of the step that is open."""
        headers = {**route.request.headers, **self._run.headers()}
        await route.continue_(headers=headers)

    async def shoot(self, file: Path) -> bool:
        """Write what the newest page shows into ``file``; whether there is a page."""
        browser = self._made.get("Browser")
        pages = [page for one in (browser.contexts if browser else ()) for page in one.pages]
        if not pages:
            return False
        await pages[-1].screenshot(path=file, timeout=_PATIENCE)
        return True

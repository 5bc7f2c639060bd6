"""Instances that are written down: in a mapping, or in the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from skerry.core.errors import ConfigError
from skerry.core.instance import Address

from .base import Discovery, Hub, Watch


class StaticDiscovery:
    """Apps whose addresses are given once.

    Args:
        apps: URLs by app; a URL may have a path, which then goes before that of each request.

    Raises:
        ConfigError: something is not an HTTP URL.
    """

    def __init__(self, apps: Mapping[str, Sequence[str]]) -> None:
        self._apps = {
            app: tuple(
                Address(_checked(app, url), f"{app}-{number}" if len(urls) > 1 else app)
                for number, url in enumerate(urls, 1)
            )
            for app, urls in apps.items()
        }

    def watch(self, app: str, /) -> Watch:
        return Hub(self._apps.get(app, ()), fixed=True, why_empty="no address is given for it")

    def check(self, app: str, /) -> None:
        """They have been checked."""

    async def close(self) -> None:
        """There is nothing to end."""


class EnvironmentDiscovery:
    """Apps whose addresses are in the environment.

    ``SKERRY_APP_QUOTES=http://10.0.0.1:8000,http://10.0.0.2:8000`` names the instances of
    ``quotes``; without it, ``QUOTES_URL=http://…`` is its one address. In names, whatever is not
    a letter or a digit becomes ``_``.

    Args:
        environ: instead of ``os.environ``.
        otherwise: asked for apps that the environment does not name.
    """

    def __init__(
        self, environ: Mapping[str, str] | None = None, otherwise: Discovery | None = None
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._otherwise = otherwise

    def watch(self, app: str, /) -> Watch:
        """The instances of ``app``.

        Raises:
            ConfigError: a variable does not hold what it should.
        """
        urls = self._urls(app)
        if urls:
            return StaticDiscovery({app: urls}).watch(app)
        if self._otherwise is not None:
            return self._otherwise.watch(app)
        return Hub(fixed=True, why_empty=why_absent(app))

    def check(self, app: str, /) -> None:
        self._urls(app)

    async def close(self) -> None:
        if self._otherwise is not None:
            await self._otherwise.close()

    def _urls(self, app: str) -> list[str]:
        listed, single = variables(app)
        name = listed if self._environ.get(listed) else single
        value = self._environ.get(name) or ""
        urls = [url.strip() for url in value.split(",") if url.strip()]
        for url in urls:
            if not _is_address(url):
                what, like = "an HTTP URL", "http://10.0.0.1:8000"
                if name == listed:
                    what, like = "a list of HTTP URLs", f"{like},http://10.0.0.2:8000"
                raise ConfigError(f"{name} is not {what}: {url!r}; it should look like {like}")
        return urls


def why_absent(app: str) -> str:
    """What to do about an app that nobody knows an address of."""
    listed, single = variables(app)
    return (
        f"no address is known: run it in the same fleet (`skerry up`), or set {single}=http://… "
        f"(several instances: {listed}=url,url)"
    )


def variables(app: str) -> tuple[str, str]:
    """The variables that may name addresses of ``app``: several, or one."""
    name = re.sub(r"[^A-Z0-9]", "_", app.upper())
    return f"SKERRY_APP_{name}", f"{name}_URL"


def _checked(app: str, url: str) -> str:
    if not _is_address(url):
        raise ConfigError(f"the address of {app!r} is not an HTTP URL: {url!r}")
    return url.rstrip("/")


def _is_address(url: str) -> bool:
    """Whether it is scheme, host, and perhaps a port and a path; or an app in this process."""
    found = re.fullmatch(
        r"https?://(?:\[[\da-fA-F:.]+\]|[^/?#\s@:\[\]]+)(?::(\d{1,5}))?(?:/[^?#\s]*)?|local:\S+",
        url,
    )
    return found is not None and int(found[1] or 0) < 65536

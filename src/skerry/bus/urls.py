"""Where a bus is, as a URL: ``sqlite:///a/file.db``, ``sqlite:////an/absolute/file.db``,
``sqlite:///a/file.db?durability=process``, ``amqp://user:password@host:5672/vhost``.

Another broker's driver is found by its package's entry point, of the group ``skerry.bus``, named as
the URL's scheme::

    [project.entry-points."skerry.bus"]
    mine = "mine.driver:Mine"          # Mine("mine://host/") is a Driver
"""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote

from skerry.core.errors import ConfigError

from .driver import Driver

DRIVERS = "skerry.bus"
"""The group of entry points of other people's drivers."""

_PASSWORD = re.compile(r"^(\w+://[^/:]*):[^/]*(@)")


def driver_of(url: str) -> Driver:
    """The driver for a bus's URL, not opened yet.

    Raises:
        ConfigError: no driver takes it, or its library is missing.
    """
    scheme = url.partition(":")[0]
    path = path_of(url)
    if path is not None and path.name:
        from .embedded import Embedded

        settings = parse_qs(url.partition("?")[2], keep_blank_values=True)
        match settings.pop("durability", ["power"]):
            case [("power" | "process") as durability] if not settings:
                return Embedded(path, durability=durability)
        raise ConfigError(f"{url!r}: its only setting is durability, which is power or process")
    if scheme in ("amqp", "amqps"):
        try:
            from .rabbitmq import RabbitMQ
        except ImportError:
            raise ConfigError("RabbitMQ needs a library: pip install 'skerry[rabbitmq]'") from None
        return RabbitMQ(url)
    for theirs in entry_points(group=DRIVERS, name=scheme):
        driver: Driver = theirs.load()(url)
        return driver
    raise ConfigError(
        f"{shown(url)!r} is no bus: it is sqlite:///path/to/bus.db or amqp://user:password@host/"
    )


def path_of(url: str) -> Path | None:
    """The file of an embedded bus; None for one that is a server."""
    if not url.startswith("sqlite:///"):
        return None
    return Path(unquote(url.removeprefix("sqlite:///").partition("?")[0]))


def file_url(path: Path) -> str:
    return f"sqlite:///{quote(str(path))}"


def absolute(url: str, folder: Path) -> str:
    """The same bus, whatever folder somebody is in; the file's is ``folder`` where it has none."""
    path = path_of(url)
    if path is None:
        return url
    _, mark, settings = url.partition("?")
    return file_url(folder / path) + mark + settings


def shown(url: str) -> str:
    """A URL for people: without its password."""
    return _PASSWORD.sub(r"\1\2", url)

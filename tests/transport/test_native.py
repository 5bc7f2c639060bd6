"""Our own driver passes the suites, on asyncio's event loop and on uvloop's."""

from __future__ import annotations

from skerry.transport.base import TransportSettings
from skerry.transport.http import HttpTransport

from .conformance import Exchanges, Wire


class TestNative(Exchanges, Wire):
    loops = ("asyncio", "uvloop")

    def transport(self, settings: TransportSettings) -> HttpTransport:
        return HttpTransport(settings)

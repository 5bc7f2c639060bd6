"""HTTPS with an authority of our own."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from skerry.core.errors import ConfigError, ConnectError, ConnectionLost
from skerry.core.instance import Address
from skerry.core.wire import Response
from skerry.transport.base import TransportSettings

from .conformance import PROMPTLY, Suite, echo, post
from .servers import (
    Exchange,
    raw_server,
    uvicorn_server,
)


class Tls(Suite):
    """HTTPS with an authority of our own. What goes wrong before the request is ConnectError."""

    ca: trustme.CA
    folder: Path

    @pytest.fixture(autouse=True)
    def _authority(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.ca = trustme.CA()

    def file(self, name: str, *blobs: trustme.Blob) -> str:
        path = self.folder / name
        path.write_bytes(b"".join(blob.bytes() for blob in blobs))
        return str(path)

    def trusting(self) -> TransportSettings:
        return TransportSettings(ca_file=self.file("ca.pem", self.ca.cert_pem))

    def server(self, name: str = "localhost") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(name).configure_cert(context)
        return context

    async def call(self, context: ssl.SSLContext, settings: TransportSettings) -> Response:
        async with uvicorn_server(echo, tls=context) as address, asyncio.timeout(2 * PROMPTLY):
            transport = self.transport(settings)
            try:
                call = transport.connect(address)
                await call(post())
                return await call(post())
            finally:
                await transport.close()

    async def test_an_authority_of_our_own(self) -> None:
        assert (await self.call(self.server(), self.trusting())).body == b"{}"

    async def test_a_server_that_nobody_vouches_for(self) -> None:
        with pytest.raises(ConnectError):
            await self.call(self.server(), TransportSettings())

    async def test_a_server_with_another_name(self) -> None:
        with pytest.raises(ConnectError):
            await self.call(self.server("elsewhere.example"), self.trusting())

    async def test_verification_can_be_turned_off(self) -> None:
        settings = TransportSettings(verify=False)
        assert (await self.call(self.server("elsewhere.example"), settings)).status == 200

    async def test_a_server_that_does_not_speak_tls(self) -> None:
        async def handler(exchange: Exchange) -> None:
            await exchange.send(b"220 mail.example ESMTP\r\n")
            await exchange.gone()

        async with raw_server(handler) as server:
            address = Address(server.address.url.replace("http://127.0.0.1", "https://localhost"))
            transport = self.transport(self.trusting())
            with pytest.raises(ConnectError):
                await transport.connect(address)(post())
            await transport.close()

    def demanding(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        context = self.server()
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = context.maximum_version = version
        self.ca.configure_trust(context)
        return context

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_a_certificate_of_our_own(self, version: ssl.TLSVersion) -> None:
        mine = self.ca.issue_cert("client@fleet.example")
        settings = replace(
            self.trusting(),
            client_cert=self.file("cert.pem", *mine.cert_chain_pems),
            client_key=self.file("key.pem", mine.private_key_pem),
        )
        assert (await self.call(self.demanding(version), settings)).body == b"{}"

    async def test_a_missing_certificate(self) -> None:
        with pytest.raises(ConnectError):
            await self.call(self.demanding(ssl.TLSVersion.TLSv1_2), self.trusting())

    async def test_a_missing_certificate_that_is_told_late(self) -> None:
        """In TLS 1.3 the client takes the handshake for done before the server has spoken."""
        with pytest.raises((ConnectError, ConnectionLost)):
            await self.call(self.demanding(ssl.TLSVersion.TLSv1_3), self.trusting())

    @pytest.mark.parametrize(
        "settings",
        [TransportSettings(ca_file="no-such.pem"), TransportSettings(client_cert="no-such.pem")],
        ids=["ca_file", "client_cert"],
    )
    async def test_files_that_are_not_there(self, settings: TransportSettings) -> None:
        with pytest.raises(ConfigError, match=r"no-such\.pem"):
            await self.call(self.server(), settings)

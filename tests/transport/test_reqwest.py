"""The driver on pyreqwest, and what keeps it from being the default."""

from __future__ import annotations

import pytest

from skerry.transport.base import TransportSettings
from skerry.transport.http import HttpTransport

from . import conformance
from .conformance import Exchanges
from .conformance_tls import Tls
from .conformance_wire import Wire
from .forking import fork

RUNS_ON = "pyreqwest 0.15 detaches a cancelled request instead of aborting it"


class TestReqwest(Exchanges, Wire, Tls):
    def transport(self, settings: TransportSettings) -> HttpTransport:
        return HttpTransport(settings, "pyreqwest")

    @pytest.fixture
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Do not wait long for what is not going to happen."""
        monkeypatch.setattr(conformance, "PROMPTLY", 0.3)

    @pytest.mark.usefixtures("impatient")
    @pytest.mark.xfail(reason=RUNS_ON)
    async def test_cancelling_before_the_answer_ends_the_exchange(self) -> None:
        await super().test_cancelling_before_the_answer_ends_the_exchange()

    @pytest.mark.usefixtures("impatient")
    @pytest.mark.xfail(reason=RUNS_ON)
    async def test_cancelling_before_the_answer_frees_the_connection(self) -> None:
        await super().test_cancelling_before_the_answer_frees_the_connection()

    @pytest.mark.xfail(reason="Rust's url crate removes dot segments, encoded ones too")
    async def test_dots_in_a_path_are_left_alone(self) -> None:
        await super().test_dots_in_a_path_are_left_alone()

    @pytest.mark.xfail(reason="pyreqwest passes header values as ASCII text")
    async def test_header_values_are_bytes_both_ways(self) -> None:
        await super().test_header_values_are_bytes_both_ways()


def test_a_child_of_a_process_that_has_used_it_is_told_that_it_cannot() -> None:
    said, result = fork("asyncio", "pyreqwest").splitlines()
    assert said.startswith("ConnectError")
    assert "fork" in said
    assert result == "1 1"

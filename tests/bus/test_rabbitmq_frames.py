from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

pytest.importorskip("aiormq")

from hypothesis import given
from hypothesis import strategies as st
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.frame import marshal
from pamqp.header import ContentHeader

from skerry.bus.rabbitmq_frames import frames

_VALUES = st.one_of(
    st.text(max_size=300),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.none(),
    st.lists(st.text(max_size=5), max_size=3),
)
_SHORT = st.one_of(st.none(), st.text(max_size=60))
_MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1))


def _by_pamqp(properties: Basic.Properties, body: bytes, exchange: str, key: str) -> bytes:
    publish = Basic.Publish(exchange=exchange, routing_key=key, mandatory=True)
    parts = [body] if body else []
    return b"".join(
        [
            marshal(publish, 7),
            marshal(ContentHeader(0, len(body), properties), 7),
            *(marshal(ContentBody(part), 7) for part in parts),
        ]
    )


@given(
    headers=st.one_of(st.none(), st.dictionaries(st.text(max_size=90), _VALUES, max_size=6)),
    texts=st.lists(_SHORT, min_size=5, max_size=5),
    timestamp=st.one_of(
        st.none(), _MOMENTS, _MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC))
    ),
    priority=st.one_of(st.none(), st.integers(0, 255)),
    body=st.binary(max_size=200),
)
def test_bytes_are_those_of_pamqp(
    headers: dict[str, Any] | None,
    texts: list[str | None],
    timestamp: datetime | None,
    priority: int | None,
    body: bytes,
) -> None:
    content_type, correlation_id, message_id, message_type, app_id = texts
    properties = Basic.Properties(
        content_type=content_type,
        headers=headers,
        delivery_mode=2,
        priority=priority,
        correlation_id=correlation_id,
        message_id=message_id,
        timestamp=timestamp,
        message_type=message_type,
        app_id=app_id,
    )
    mine = frames(7, 131_072, "skerry.events", "payments.settled.P3", properties, body, True)
    assert mine == _by_pamqp(properties, body, "skerry.events", "payments.settled.P3")


def test_what_amqp_has_no_word_for_is_refused() -> None:
    for properties in (
        Basic.Properties(message_id="x" * 256),
        Basic.Properties(headers={"when": object()}),  # type: ignore[dict-item]
    ):
        with pytest.raises(TypeError):
            frames(1, 131_072, "", "q", properties, b"", False)


def test_headers_that_no_frame_can_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="headers take"):
        frames(1, 4096, "", "q", Basic.Properties(headers={"long": "x" * 5000}), b"", False)


def test_a_body_is_divided_among_frames() -> None:
    body = bytes(range(256)) * 40
    found = frames(1, 4096, "", "q", Basic.Properties(delivery_mode=2), body, False)
    header = marshal(ContentHeader(0, len(body), Basic.Properties(delivery_mode=2)), 1)
    step = 4096 - 8
    parts = [marshal(ContentBody(body[at : at + step]), 1) for at in range(0, len(body), step)]
    assert found.endswith(header + b"".join(parts))

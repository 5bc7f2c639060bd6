"""What a codec says no to, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from skerry.contract.codec import Codec
from skerry.core.errors import BadRequest, Invalid


def faults(type: Any, body: bytes, *, strict: bool = False) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        Codec.of(type, strict=strict).decode(body)
    found = {fault.pointer: fault.detail for fault in refused.value.errors}
    assert len(found) == len(refused.value.errors)
    return found


def unreadable(type: Any, body: bytes) -> str:
    with pytest.raises(BadRequest) as refused:
        Codec.of(type).decode(body)
    return refused.value.detail

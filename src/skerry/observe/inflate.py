"""Bodies that were compressed, unpacked up to a limit."""

from __future__ import annotations

import zlib

from .ids import Malformed


class TooLarge(Exception):
    """A body is longer than may be, once it is unpacked."""


_EITHER = 32 + zlib.MAX_WBITS  # gzip's header, or zlib's


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """The body as it was before it was compressed.

    Args:
        encoding: the ``Content-Encoding``; none, ``identity``, ``gzip`` or ``deflate``.
        limit: bytes that it may have; no more than that are ever unpacked.

    Raises:
        Malformed: it is not compressed like that.
        TooLarge: it is longer than ``limit``.
    """
    wanted = encoding.strip().lower()
    if not body or wanted in ("", "identity"):
        return body
    if wanted not in ("gzip", "x-gzip", "deflate"):
        raise Malformed(f"Cannot read Content-Encoding {wanted[:32]!r}: send gzip, or none")
    packed = zlib.decompressobj(_EITHER)
    try:
        found = packed.decompress(body, limit + 1)
    except zlib.error:
        raise Malformed("Cannot gunzip spans") from None
    if len(found) > limit or packed.unconsumed_tail:
        raise TooLarge(f"More than {limit} bytes once unpacked")
    if not packed.eof:
        raise Malformed("Cannot gunzip spans")
    return found

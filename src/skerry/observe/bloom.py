"""Which traces the file may know, asked for every new one: a Bloom filter (Bloom, 1970)."""

from __future__ import annotations

from collections.abc import Iterable

_MIX = 0x9E3779B97F4A7C15  # Fibonacci hashing: ids may well be counted, not drawn


class Bloom:
    """A set of 64-bit numbers that sometimes says yes for no, in 16 bits for each.

    Args:
        capacity: how many it is made for; with those, it is wrong for one in 70.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.count = 0
        self._shift = max(10, (capacity * 16).bit_length())
        self._mask = (1 << self._shift) - 1
        self._bits = bytearray(1 << (self._shift - 3))

    def update(self, numbers: Iterable[int]) -> None:
        bits, mask, shift = self._bits, self._mask, self._shift
        for number in numbers:
            mixed = number * _MIX
            one, other = mixed >> 20 & mask, mixed >> (64 - shift) & mask
            bits[one >> 3] |= 1 << (one & 7)
            bits[other >> 3] |= 1 << (other & 7)
            self.count += 1

    def __contains__(self, number: int) -> bool:
        mixed = number * _MIX
        one, other = mixed >> 20 & self._mask, mixed >> (64 - self._shift) & self._mask
        bits = self._bits
        return bool(bits[one >> 3] >> (one & 7) & 1 and bits[other >> 3] >> (other & 7) & 1)

"""Regular expressions that say in JSON Schema what its keywords cannot.

``minimum`` compares numbers only, and an amount of money travels as text. So the bounds of a
decimal are spelled out digit by digit; with them a generator of test data, or of client code,
knows exactly what the codec takes.
"""

from __future__ import annotations

from decimal import Decimal

_INTEGER = "(?:0|[1-9][0-9]*)"
_FRACTION = r"(?:\.[0-9]+)?"
_EXPONENT = "(?:[eE][-+]?[0-9]{1,3})?"
_POSITIVE = rf"(?:[1-9][0-9]*{_FRACTION}|0\.[0-9]*[1-9][0-9]*)"
_ZERO = r"-?0(?:\.0+)?"
# A number too small to matter beside a bound, in the only way that Python writes one: 1.5E-7.
_TINY = r"[0-9](?:\.[0-9]+)?[eE]-(?:[7-9]|[1-9][0-9]{1,2})"
_TINY_FROM = Decimal("0.00001")
_B64 = "[A-Za-z0-9+/]"

NUMBER = f"^-?{_INTEGER}{_FRACTION}{_EXPONENT}$"
FLOAT = f"^-?{_INTEGER}{_FRACTION}(?:[eE][-+]?[0-9]{{1,2}})?$"
INTEGER = "^-?(?:0|[1-9][0-9]*)$"
TIME = r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?$"
DATETIME = r"^[1-9][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T" + TIME[1:]
# Days, hours, minutes and seconds: the units of a fixed length.
_CLOCK = (
    r"(?:[0-9]{1,5}H(?:[0-9]{1,5}M)?(?:[0-9]{1,5}(?:\.[0-9]{1,6})?S)?"
    r"|[0-9]{1,5}M(?:[0-9]{1,5}(?:\.[0-9]{1,6})?S)?|[0-9]{1,5}(?:\.[0-9]{1,6})?S)"
)
DURATION = f"^-?P(?:[0-9]{{1,8}}D(?:T{_CLOCK})?|T{_CLOCK})$"


def base64(least: int, most: int | None) -> str:
    """Base64 text of ``least`` to ``most`` bytes."""
    ends = ("", f"{_B64}{{2}}==", f"{_B64}{{3}}=")
    ways = []
    for rest, end in enumerate(ends):
        low = max(0, -(-(least - rest) // 3))
        high = None if most is None else (most - rest) // 3
        if high is None or high >= low:
            ways.append(f"(?:{_B64}{{4}}){{{low},{'' if high is None else high}}}{end}")
    return f"^(?:{'|'.join(ways)})$"


def above(bound: Decimal, *, equal: bool) -> str:
    """Numbers above ``bound`` as text, in every way that Python writes them."""
    if bound == 0:
        zero = f"|{_ZERO}" if equal else ""
        return f"^(?:{_POSITIVE}{zero}){_EXPONENT}$"
    if bound > 0:
        return f"^(?:{_above(bound, equal)})$"
    return f"^(?:{_INTEGER}{_FRACTION}{_EXPONENT}|-(?:{_below(-bound, equal)}))$"


def below(bound: Decimal, *, equal: bool) -> str:
    """Numbers below ``bound`` as text, in every way that Python writes them."""
    if bound == 0:
        zero = f"|{_ZERO}" if equal else ""
        return f"^(?:-{_POSITIVE}{zero}){_EXPONENT}$"
    if bound > 0:
        return f"^(?:-{_INTEGER}{_FRACTION}{_EXPONENT}|{_below(bound, equal)})$"
    return f"^-(?:{_above(-bound, equal)})$"


def places(count: int) -> str:
    """Numbers with no more than ``count`` places behind the point."""
    fraction = rf"(?:\.[0-9]{{1,{count}}}0*)?" if count else r"(?:\.0+)?"
    return rf"^-?{_INTEGER}{fraction}(?:[eE]\+?[0-9]{{1,3}})?$"


def _split(bound: Decimal) -> tuple[str, str]:
    whole, _, fraction = f"{bound:f}".partition(".")
    return whole, fraction.rstrip("0")


def _at_least(exponent: int) -> str:
    """Exponents from one on, up to 999."""
    tens, ones = divmod(exponent, 10)
    if tens == 0:
        return f"[{ones}-9]|[1-9][0-9]{{1,2}}"
    more = f"|[{tens + 1}-9][0-9]" if tens < 9 else ""
    return f"{tens}[{ones}-9]{more}|[1-9][0-9]{{2}}"


def _above(bound: Decimal, equal: bool) -> str:
    """Unsigned numbers above a bound >= 0: longer, or greater at the first digit that differs."""
    whole, fraction = _split(bound)
    ways = [
        f"[1-9][0-9]{{{len(whole)},}}{_FRACTION}",
        rf"[1-9]{_FRACTION}[eE]\+?(?:{_at_least(len(whole))})",
    ]
    for place, digit in enumerate(whole):
        if digit != "9":
            rest = len(whole) - place - 1
            ways.append(f"{whole[:place]}[{int(digit) + 1}-9][0-9]{{{rest}}}{_FRACTION}")
    for place, digit in enumerate(fraction):
        if digit != "9":
            ways.append(rf"{whole}\.{fraction[:place]}[{int(digit) + 1}-9][0-9]*")
    if equal:
        ways.append(rf"{whole}\.{fraction}[0-9]*" if fraction else f"{whole}{_FRACTION}")
    else:
        ways.append(rf"{whole}\.{fraction}[0-9]*[1-9][0-9]*")
    return "|".join(ways)


def _below(bound: Decimal, equal: bool) -> str:
    """Unsigned numbers below a bound > 0."""
    whole, fraction = _split(bound)
    ways = [_TINY] if bound >= _TINY_FROM else []
    if len(whole) > 1:
        ways.append(f"(?:0|[1-9][0-9]{{0,{len(whole) - 2}}}){_FRACTION}")
    for place, digit in enumerate(whole):
        least = 1 if place == 0 and len(whole) > 1 else 0
        if int(digit) > least:
            rest = len(whole) - place - 1
            ways.append(f"{whole[:place]}[{least}-{int(digit) - 1}][0-9]{{{rest}}}{_FRACTION}")
    for place, digit in enumerate(fraction):
        if digit != "0":
            ways.append(rf"{whole}\.{fraction[:place]}[0-{int(digit) - 1}][0-9]*")
        ways.append(rf"{whole}\.{fraction[:place]}" if place else whole)
    if equal:
        ways.append(rf"{whole}\.{fraction}0*" if fraction else rf"{whole}(?:\.0+)?")
    return "|".join(ways)

"""What a browser sends when a form is submitted."""

from __future__ import annotations

from urllib.parse import parse_qsl

Form = dict[str, str]


def read_form(body: bytes) -> Form:
    """The fields of a form, the last of each name; what is no form has none."""
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50))
    except ValueError:
        return {}

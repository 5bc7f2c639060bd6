"""The page: whole in itself, and deaf to what its words would like to be."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from skerry.contract.openapi import document
from skerry.contract.operation import Contract, Reception
from skerry.contract.page import html, prose

from .promise import CONTRACT

PAGE = html(document(CONTRACT))
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\" onfocus='alert(1)"


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


def test_the_events_are_linked_where_there_are_any() -> None:
    heard = dataclasses.replace(CONTRACT, receives=(Reception("hear", ()),))
    links = [found.get("href") for found in Elements(html(document(heard))).all("a")]
    assert "asyncapi.json" in links
    assert "asyncapi.json" not in PAGE


def test_everything_is_on_it() -> None:
    for operation in CONTRACT.operations:
        assert f'id="op-{operation.name}"' in PAGE
        assert operation.path in PAGE
    for words in ("Locks <strong>rates</strong>", "How many.", "CurrencyUnknown", "PageOfNewQuote"):
        assert words in PAGE


def test_it_needs_no_other_host() -> None:
    for _, attributes in Elements(PAGE).found:
        for name in ("src", "href", "action", "data"):
            value = attributes.get(name) or ""
            assert "//" not in value
            assert not value.startswith("javascript:")
    assert "@import" not in PAGE
    assert "url(" not in PAGE


def test_the_policy_allows_the_one_script_that_is_there() -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", PAGE, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in PAGE
    assert "default-src 'none'" in PAGE


def _poisoned(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key if _STRUCTURE.fullmatch(key) else f"{key}{EVIL}": _poisoned(one)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_poisoned(one) for one in value]
    return f"{value}{EVIL}" if isinstance(value, str) and not value.startswith("#/") else value


# What the page looks up; every other key is a word of the author's, as every value is.
_STRUCTURE = re.compile(
    r"\$ref|openapi|info|title|version|description|tags|paths|components|schemas|responses|name|in"
    "|summary|operationId|parameters|requestBody|content|schema|type|properties|items|required"
    "|default|enum|const|pattern|format|examples|oneOf|anyOf|additionalProperties|get|put|post"
    "|delete|Problem|x-item.*"
)


def test_nothing_in_a_document_becomes_markup() -> None:
    clean = Elements(PAGE)
    page = html(_poisoned(document(CONTRACT)))
    dirty = Elements(page)
    assert len(dirty.all("script")) == 1
    assert not dirty.all("img")
    assert {tag for tag, _ in dirty.found} <= {tag for tag, _ in clean.found}
    assert not any(name.startswith("on") for _, attributes in dirty.found for name in attributes)
    assert "alert(1)" in page  # it is all there, as text


def test_a_title_cannot_break_out() -> None:
    page = html(document(dataclasses.replace(CONTRACT, name=EVIL, description=EVIL)))
    assert len(Elements(page).all("script")) == 1


def test_everything_can_be_reached_by_keyboard() -> None:
    found = Elements(PAGE)
    identities = [attributes["id"] for _, attributes in found.found if "id" in attributes]
    assert len(identities) == len(set(identities))
    labelled = {attributes["for"] for attributes in found.all("label")}
    for field in found.all("input") + found.all("textarea"):
        assert field["id"] in labelled
    for link in found.all("a"):
        href = link["href"] or ""
        if href.startswith("#"):
            assert href[1:] in identities
    assert len(found.all("summary")) == len(found.all("details"))
    assert all("lang" in attributes for attributes in found.all("html"))


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("", ""),
        ("a\n\nb", "<p>a</p><p>b</p>"),
        ("`a<b` **c**", "<p><code>a&lt;b</code> <strong>c</strong></p>"),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>"),
    ],
)
def test_prose(text: str, made: str) -> None:
    assert prose(text) == made


def test_an_empty_contract() -> None:
    assert "<h1>empty" in html(document(Contract("empty", "0")))

"""The line locator agrees with ``tomllib`` on what there is, and survives everything else."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.spec.locate import KeyPath, dotted, line_of, locate

DOCUMENT = '''\
# a comment with [brackets] and = signs
title = "x"                             # 2
a.b."c d" = 1                           # 3

[fleet]                                 # 5
name = """
[not.a.table]
k = 1
"""
together = [                            # 10
  # a comment, with a "quote
  ["portal", "quotes"],                 # 12
  [ 'ledger',
    "bank" ],                           # 14
]
[ apps . quotes ]                       # 16
env = { A = "1", "B" = { C.D = [1, 2] } }
needs = []                              # 18
literal = \'\'\'
x = "]"
\'\'\'
after = true                            # 22

[[products]]                            # 24
sku = 1
[products.maker]                        # 26
name = "m"
[[products]]                            # 28
sku = 2
[[products.tags]]                       # 30
t = "\\"]"
[["quoted".'key']]                      # 32
x = 1'''


def lines() -> dict[KeyPath, int]:
    return locate(DOCUMENT)


@pytest.mark.parametrize(
    ("where", "line"),
    [
        (("title",), 2),
        (("a", "b", "c d"), 3),
        (("fleet",), 5),
        (("fleet", "name"), 6),
        (("fleet", "together"), 10),
        (("fleet", "together", 0), 12),
        (("fleet", "together", 0, 1), 12),
        (("fleet", "together", 1), 13),
        (("fleet", "together", 1, 1), 14),
        (("apps",), 16),
        (("apps", "quotes"), 16),
        (("apps", "quotes", "env", "B", "C", "D", 1), 17),
        (("apps", "quotes", "needs"), 18),
        (("apps", "quotes", "literal"), 19),
        (("apps", "quotes", "after"), 22),
        (("products", 0, "sku"), 25),
        (("products", 0, "maker", "name"), 27),
        (("products", 1), 28),
        (("products", 1, "tags", 0, "t"), 31),
        (("quoted", "key", 0, "x"), 33),
    ],
)
def test_finds_the_line(where: KeyPath, line: int) -> None:
    assert lines()[where] == line


def test_knows_everything_that_tomllib_knows() -> None:
    assert set(paths(tomllib.loads(DOCUMENT))) == set(lines())


def test_the_nearest_thing_around_what_is_not_there() -> None:
    assert line_of(lines(), ("apps", "quotes", "nothing", 3)) == 16
    assert line_of(lines(), ("nothing",)) == 1


def test_windows_line_ends_count_once() -> None:
    assert locate("a = 1\r\n\r\nb = 2\r\n")[("b",)] == 3


def test_paths_are_written_as_people_write_them() -> None:
    assert dotted(("front", "routes", "/a b", 2)) == 'front.routes."/a b"[2]'
    assert dotted(("apps", "x-1")) == "apps.x-1"


def paths(value: Any, base: KeyPath = ()) -> Iterator[KeyPath]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*base, key)
        if isinstance(inner, dict | list):
            yield from paths(inner, (*base, key))


# -- documents of every shape ---------------------------------------------------------------

_keys = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=6)
_texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\"'#[]{}=,"),
    max_size=12,
)
_values = st.recursive(
    st.booleans() | st.integers(-9, 9) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
    max_leaves=8,
)


def quoted(text: str) -> str:
    out = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{out}"'


class Writer:
    """Writes TOML in one of its many spellings, and knows the line of every key by itself."""

    def __init__(self, choose: Any) -> None:
        self.choose = choose
        self.out = ""
        self.lines: dict[KeyPath, int] = {}

    @property
    def line(self) -> int:
        return self.out.count("\n") + 1

    def space(self, breaks: bool) -> None:
        options = ["", " ", "\t "] + (["\n", " # it's \"]} = [\n  "] if breaks else [])
        self.out += self.choose(options)

    def key(self, text: str) -> None:
        bare = text.isascii() and text.replace("_", "a").isalnum()
        literal = "'" not in text and "\n" not in text
        self.out += self.choose(
            [quoted(text)] + ([text] if bare else []) + ([f"'{text}'"] if literal else [])
        )

    def value(self, value: Any, where: KeyPath) -> None:
        if isinstance(value, bool):
            self.out += str(value).lower()
        elif isinstance(value, int):
            self.out += str(value)
        elif isinstance(value, str):
            self.text(value)
        elif isinstance(value, list):
            self.bracket("[", "]", enumerate(value), where, breaks=True)
        else:
            self.bracket("{", "}", value.items(), where, breaks=False)

    def text(self, value: str) -> None:
        spellings = [quoted(value)]
        if "'" not in value:
            spellings.append(f"'''\n{value}'''")
            spellings += [] if "\n" in value else [f"'{value}'"]
        body = value.replace("\\", "\\\\").replace('"""', '""\\"').replace('""', '"\\"')
        spellings.append(f'"""\n{body}"""' if not body.endswith('"') else quoted(value))
        self.out += self.choose(spellings)

    def bracket(self, left: str, right: str, items: Any, where: KeyPath, breaks: bool) -> None:
        self.out += left
        for number, (key, inner) in enumerate(items):
            self.out += "," if number else ""
            self.space(breaks)
            self.lines[(*where, key)] = self.line
            if isinstance(key, str):
                self.key(key)
                self.out += self.choose(["=", " = "])
            self.value(inner, (*where, key))
            self.space(breaks)
        self.out += right

    def document(self, tables: dict[str, dict[str, Any]]) -> None:
        for name, table in tables.items():
            self.out += self.choose(["", "\n", "# [x]\n"])
            self.lines[(name,)] = self.line
            self.out += "["
            self.key(name)
            self.out += "]\n"
            for key, value in table.items():
                self.lines[(name, key)] = self.line
                self.key(key)
                self.out += " = "
                self.value(value, (name, key))
                self.out += self.choose(["\n", " # '''\n", "\n\n"])


@given(
    st.dictionaries(_keys, st.dictionaries(_keys, _values, max_size=4), max_size=4),
    st.randoms(use_true_random=False),
)
def test_every_key_of_any_document_has_its_line(tables: Any, random: Any) -> None:
    writer = Writer(random.choice)
    writer.document(tables)
    assert tomllib.loads(writer.out) == tables  # the writer writes what it means
    assert locate(writer.out) == writer.lines


@given(st.text() | st.text("[]{}=.,\"'\\\n#ab 1"))
def test_any_text_ends_without_an_error(text: str) -> None:
    count = text.count("\n") + 1
    assert all(1 <= line <= count for line in locate(text).values())


@given(st.binary(max_size=200))
def test_any_bytes_end_without_an_error(raw: bytes) -> None:
    locate(DOCUMENT[: len(raw)] + raw.decode("utf-8", "replace"))


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "a = " + "{b=" * 30_000, '"""' * 20_000, "a = " + "," * 50_000]
)
def test_depth_and_length_cost_little(text: str) -> None:
    started = time.process_time()
    locate(text)
    assert time.process_time() - started < 5

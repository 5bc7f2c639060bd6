from __future__ import annotations

import ast
import subprocess
import sys
from inspect import cleandoc
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from skerry.clients.files import write_client
from skerry.clients.layout import prose
from skerry.clients.oneof import decoder_of
from skerry.contract.openapi import document as contract_document
from skerry.contract.operation import Answer, Body, Contract, Operation, Parameter
from skerry.core.errors import BodyTooLarge, Invalid, Problem

from .support import TORTURE, FakeApp, document, generated, getting

SRC = Path(__file__).parents[2] / "src"


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {"MYPYPATH": str(SRC), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize("plain", [False, True])
def test_types_and_layout_hold(tmp_path: Path, plain: bool) -> None:
    pytest.importorskip("mypy", reason="needs mypy: pip install mypy")
    write_client(TORTURE, tmp_path / "torture.py", plain=plain)
    (tmp_path / "use.py").write_text(_USE_PLAIN if plain else _USE)
    checked = run("mypy", "--strict", "--cache-dir", str(tmp_path / "c"), "use.py", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout
    pytest.importorskip("ruff", reason="needs ruff: pip install ruff")
    formatted = run("ruff", "format", "--isolated", "--diff", "torture.py", cwd=tmp_path)
    assert formatted.stdout == ""
    linted = run(
        "ruff", "check", "--isolated", "--select", "E4,E7,F,I,UP", "torture.py", cwd=tmp_path
    )
    assert linted.returncode == 0, linted.stdout


_USE = """
from typing_extensions import assert_type
from skerry.clients.runtime import Items
from skerry.clients.sync import SyncItems
from torture import Cat, Dog, Node, Torture, ListResponse202, UntoldByName, UntoldByNumber

async def use(client: Torture) -> None:
    assert_type(await client.get_pet("x", x_tenant="t"), Cat | Dog)
    assert_type(await client.list_(), list[Cat | Dog] | ListResponse202)
    assert_type(await client.watch_pets(), Items[Node])
    found = await client.search()
    if isinstance(found, UntoldByName):
        assert_type(found.name, str)
    assert_type(client.sync.get_pet("x", x_tenant="t", trace=3), Cat | Dog)
    assert_type(client.sync.watch_pets(), SyncItems[Node])
"""
_USE_PLAIN = """
from collections.abc import AsyncIterator, Iterator
from typing_extensions import assert_type
from torture import Cat, Dog, Node, Torture, TortureSync

async def use(client: Torture, sync: TortureSync) -> None:
    assert_type(await client.get_pet("x", x_tenant="t"), Cat | Dog)
    assert_type(await client.watch_pets(), AsyncIterator[Node])
    assert_type(sync.get_pet("x", x_tenant="t"), Cat | Dog)
    assert_type(sync.watch_pets(), Iterator[Node])
"""


def test_the_same_contract_makes_the_same_module(tmp_path: Path) -> None:
    write_client(TORTURE, tmp_path / "a.py", "torture")
    command = (
        "from pathlib import Path; from skerry.clients.files import write_client;"
        f"write_client({str(TORTURE)!r}, Path('b.py'), 'torture')"
    )
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", command],
            cwd=tmp_path,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(SRC)},
            check=True,
        )
        assert (tmp_path / "a.py").read_bytes() == (tmp_path / "b.py").read_bytes()


def test_importing_makes_no_codec(tmp_path: Path) -> None:
    fresh = generated(TORTURE, tmp_path, "fresh")
    assert msgspec.structs.fields(fresh.NewPet)
    assert fresh._PUT_PHOTO.decoders == {}


def test_docstrings_are_carried_over(torture: ModuleType) -> None:
    assert torture.__doc__.startswith("Torture 2.0.0-rc.1: A contract with everything in it.")
    assert 'Backslashes \\d, """quotes""" and a trailing quote "' in torture.__doc__
    assert "trace: Overrides." in torture.Torture.get_pet.__doc__
    assert "PetAsleep: 409." in torture.Torture.get_pet.__doc__
    assert torture.PetUnknown.title == "No pet has this id"
    assert "style 'matrix'" in torture.Torture.__doc__


def test_samples_of_every_model_come_back_the_same(torture: ModuleType) -> None:
    samples: dict[str, list[dict[str, Any]]] = {
        "Cat": [{"petType": "cat", "id": "1" * 8 + "-1111-1111-1111-" + "1" * 12, "lives": 1}],
        "Node": [{"value": {"a": [None]}, "children": [{"value": 1}, {"value": "x"}]}],
        "Owner": [{"name": "a", "friends": [{"name": "b"}, None]}],
        "NewPet": [
            {"name": "a", "fee": "1.20", "kind": "two words", "createdAt": "2026-01-02T03:04:05Z"},
            {"name": "a", "fee": "1", "kind": "", "list": ["x"], "date": "2026-01-02"},
            {"name": "b", "fee": "1", "kind": "cat", "field": "f"},
            {"name": "a", "fee": "1", "kind": "dog", "2nd-name": "b", "größe": 1.5, "from": "x",
             "$meta": {"n": 1}, "address": {"city": "c"}, "visits": [{"at": "10:00:00"}]},
            {"name": "a", "fee": "1", "kind": "cat", "mood": None, "level": 2, "size": 3},
        ],
    }  # fmt: skip
    for name, values in samples.items():
        decode = decoder_of(getattr(torture, name))
        for value in values:
            made = decode(msgspec.json.encode(value))
            assert msgspec.json.decode(msgspec.json.encode(made)) == value


def test_a_union_with_a_constant_in_each_member_needs_no_discriminator(tmp_path: Path) -> None:
    def kind(value: str) -> dict[str, Any]:
        properties = {"kind": {"enum": [value]}, "n": {"type": "integer"}}
        return {"type": "object", "required": ["kind"], "properties": properties}

    refs = [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}]
    schemas = {"A": kind("a"), "B": kind("b"), "AB": {"oneOf": refs}}
    made = generated(document(getting({"$ref": "#/components/schemas/AB"}), schemas), tmp_path)
    assert "OneOf" not in vars(made)
    assert decoder_of(made.AB)(b'{"kind":"b","n":1}') == made.B(n=1)
    assert decoder_of(made.B)(b'{"kind":"b","n":1}').kind == "b"


def test_two_unions_that_disagree_on_a_tag_are_both_read(tmp_path: Path) -> None:
    thing = {"type": "object", "properties": {"t": {"type": "string"}, "u": {"type": "string"}}}
    refs = [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}]
    holder = {
        "type": "object",
        "required": ["x", "y"],
        "properties": {
            "x": {"oneOf": refs, "discriminator": {"propertyName": "t"}},
            "y": {"oneOf": refs, "discriminator": {"propertyName": "u"}},
        },
    }
    other = {**thing, "required": ["b"], "properties": {**thing["properties"], "b": {}}}
    schemas = {"A": thing, "B": other, "H": holder}
    made = generated(document(getting({"$ref": "#/components/schemas/H"}), schemas), tmp_path)
    found = decoder_of(made.H)(b'{"x":{"t":"B","b":1},"y":{"t":"A","u":"A"}}')
    assert (type(found.x), type(found.y)) == (made.B, made.A)


def test_defaults_are_for_answers_and_not_sent(tmp_path: Path) -> None:
    both = {"type": "object", "properties": {"private": {"type": "boolean", "default": False}}}
    paths = getting({"$ref": "#/components/schemas/Answer"})
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Change"}}}
    paths["/thing"]["patch"] = {
        "operationId": "change", "requestBody": {"content": content}, "responses": {}
    }  # fmt: skip
    made = generated(document(paths, {"Answer": both, "Change": both}), tmp_path)
    assert made.Answer().private is False
    assert msgspec.json.encode(made.Change()) == b"{}"


def test_names_that_python_or_the_module_has_already(tmp_path: Path) -> None:
    names = ["None", "class", "Client", "Struct", "a-b", "a_b", "1st", "Änderung", "💥", "Problem"]
    thing = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    properties = {n: {"$ref": f"#/components/schemas/{n}"} for n in names}
    schemas = {**dict.fromkeys(names, thing), "All": {"type": "object", "properties": properties}}
    made = generated(document(getting({"$ref": "#/components/schemas/All"}), schemas), tmp_path)
    classes = [
        v for v in vars(made).values() if isinstance(v, type) and v.__module__ == made.__name__
    ]
    assert len([c for c in classes if issubclass(c, msgspec.Struct)]) == len(names) + 1
    assert all(
        len(c.__struct_fields__) == len(names) for c in classes if hasattr(c, "__struct_fields__")
    )


async def test_an_apps_own_contract_makes_its_client(tmp_path: Path) -> None:
    class Quote(msgspec.Struct):
        id: str
        rate: float

    class CurrencyUnknown(Problem, status=422):
        """No rate is published for this currency."""

        currency: str

    parameter = Parameter("limit", "query", int, required=False, default=10)
    operation = Operation(
        "create_quote", "POST", "/quotes", "Lock a rate.", "", (parameter,), Body(Quote),
        Answer(201, Quote, "application/json"), (CurrencyUnknown,), (),
    )  # fmt: skip
    whole = contract_document(Contract("quotes", "1.0.0", "", (operation,), ()))
    made = generated(whole, tmp_path, "quotes")
    text = (tmp_path / "quotes.py").read_text()
    assert "async def create_quote(self, body: Quote, *, limit: int = 10) -> Quote:" in text
    app = FakeApp().answer({"id": "a", "rate": 1}, 201)
    app.answer({"type": CurrencyUnknown.type, "currency": "XXX"}, 422)
    app.answer({"type": Invalid.type, "errors": [{"pointer": "#", "detail": "x"}]}, 422)
    app.answer({"type": "about:blank", "status": 413, "limit": 5}, 413)
    client = made.Quotes(app)
    quote = made.Quote(id="a", rate=1.0)
    assert await client.create_quote(quote) == quote
    with pytest.raises(made.CurrencyUnknown) as caught:
        await client.create_quote(quote)
    assert caught.value.currency == "XXX"
    with pytest.raises(Invalid):
        await client.create_quote(quote)
    with pytest.raises(BodyTooLarge) as large:
        await client.create_quote(quote)
    assert large.value.limit == 5


def test_no_text_of_a_contract_gets_out_of_its_quotes(tmp_path: Path) -> None:
    evil = '"""\nimport os; os.abort()\n"""\\'
    whole = document(getting({"type": "object", "properties": {evil: {"description": evil}}}, evil))
    whole["info"] = {"title": evil, "version": evil, "description": evil}
    whole["paths"][f"/x{evil}"] = {"get": {"summary": evil, "responses": {}}}
    write_client(whole, tmp_path / "evil.py")
    imported = [
        alias.name
        for node in ast.walk(ast.parse((tmp_path / "evil.py").read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
    ]
    assert "os" not in imported


def test_docstrings_keep_sections_lists_and_code() -> None:
    text = cleandoc(
        """
        Flows
        together.

        Args:
            first: short
                and sweet.
            second: so long that it does not fit on a line of sixty letters.

        Returns
        -------
        int
            How many there are, which is never so few that it fits.

        - one
          goes on
          - and deeper
        2. two

            if code:
                keep(it)
        """
    )
    assert prose(text, 60) == cleandoc(
        """
        Flows together.

        Args:
            first: short
                and sweet.
            second: so long that it does not fit on a line of sixty
                letters.

        Returns
        -------
        int
            How many there are, which is never so few that it fits.

        - one
          goes on
          - and deeper
        2. two

            if code:
                keep(it)
        """
    )
    assert prose(prose(text, 60), 60) == prose(text, 60)


def test_what_a_description_says_of_a_field_stands_with_its_notes(tmp_path: Path) -> None:
    said = "A thing.\n\nAttributes:\n    n: how many.\n    none: stays."
    thing = {
        "type": "object",
        "description": said,
        "properties": {"n": {"type": "integer", "default": 3}, "m": {"type": "integer"}},
    }
    paths = getting({"$ref": "#/components/schemas/Thing"})
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
    paths["/thing"]["get"]["requestBody"] = {"content": content}
    made = generated(document(paths, {"Thing": thing}), tmp_path)
    assert cleandoc(made.Thing.__doc__) == (
        "A thing.\n\nAttributes:\n    none: stays.\n\nAttributes:\n    n: how many. Default: 3."
    )


def test_a_name_is_no_description(tmp_path: Path) -> None:
    thing = {"title": "Thing", "type": "object", "properties": {"n": {"type": "integer"}}}
    ref = {"$ref": "#/components/schemas/Thing"}
    made = generated(document(getting(ref), {"Thing": thing}), tmp_path)
    assert made.Thing.__doc__ is None

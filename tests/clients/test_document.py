from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skerry.clients.document import DocumentError, load, parse
from skerry.clients.generate import RESERVED, module
from skerry.clients.header import Header
from skerry.clients.made import make
from skerry.clients.operations import read
from skerry.clients.plan import plan
from skerry.clients.shapes import Record, Ref

from .support import TORTURE, document, getting


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "is not (JSON|YAML).*line"),
        (b"a: [", "is not YAML.*line"),
        (b"\xff\xfe", "UTF-8"),
        (b"[]", "an object is expected here, not an array"),
        (b"{}", "no 'openapi' field"),
        (b'{"swagger": "2.0"}', "Swagger 2.0"),
        (b'{"openapi": "3.2.0"}', "3.2.0 is not supported"),
        (b"a: &x [*x]", "alias"),
    ],
)
def test_what_is_no_document(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "contract.yaml"
    path.write_bytes(content)
    with pytest.raises(DocumentError, match=said):
        read(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"nothing\.json: cannot be read"):
        load(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$ref": "#/components/schemas/None"}, "there is no 'None'"),
        ({"$ref": "https://example.com/x.json"}, "leads to the network"),
        ({"$ref": "other.yaml"}, "has no folder"),
        ({"$ref": "#anchor"}, "not a JSON pointer"),
        ({"$ref": "#/components/schemas/Loop"}, "back to itself|part of itself"),
        ({"type": "strin"}, "no type 'strin'"),
        ({"properties": []}, "an object is expected here, not an array"),
        ({"allOf": {}}, "an array is expected here, not an object"),
        ("string", "an object is expected here, not a string"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(schema: Any, said: str) -> None:
    loop = {"allOf": [{"$ref": "#/components/schemas/Loop"}, {"properties": {"a": {}}}]}
    with pytest.raises(DocumentError, match=said) as caught:
        read(document(getting(schema), {"Loop": loop}), name="things.json")
    assert caught.value.where.startswith("things.json#/")


def test_the_place_is_a_pointer() -> None:
    with pytest.raises(DocumentError) as caught:
        read(document(getting({"type": 3})), name="t")
    place = "#/paths/~1thing/get/responses/200/content/application~1json/schema"
    assert caught.value.where == "t" + place


def test_references_between_files(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "pet.yml").write_text(
        "type: object\nproperties:\n  owner: { $ref: 'owner.yml#/Owner' }\n"
        "  other: { $ref: 'pet.yml' }\n"
    )
    (tmp_path / "models" / "owner.yml").write_text(
        "Owner:\n  type: object\n  properties: { no: { type: string, default: no } }\n"
    )
    root = tmp_path / "contract.json"
    root.write_text(json.dumps(document(getting({"$ref": "models/pet.yml"}))))
    api = read(root)
    names = {named.name for named in api.named.values()}
    assert names == {"pet", "Owner"}
    owner = next(n for n in api.named.values() if n.name == "Owner")
    assert isinstance(owner, Record)
    assert owner.fields[0].default == "no"  # and not False
    before = api.digest
    (tmp_path / "models" / "owner.yml").write_text("Owner: { type: string }\n")
    assert read(root).digest != before


def test_yaml_is_read_as_json_would_be() -> None:
    text = b"on: 2020-01-01\n200: yes\nyes: true\nx: 1_000\nnull: ~\n"
    found = parse(text, "x.yaml")
    assert found["on"] == "2020-01-01"
    assert found["200"] == "yes"
    assert found["yes"] is True
    assert found["null"] is None


def test_the_digest_is_of_what_is_said_and_not_of_how() -> None:
    one = document(getting({"type": "string"}))
    other = json.loads(json.dumps(dict(reversed(one.items()))))
    assert load(one).digest == load(other).digest
    other["info"]["version"] = "2"
    assert load(one).digest != load(other).digest


def test_null_is_kept_apart_in_both_dialects() -> None:
    old = {"type": "object", "properties": {"a": {"type": "string", "nullable": True}}}
    new = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}
    shapes = []
    for schema, version in ((old, "3.0.3"), (new, "3.1.0")):
        api = read(document(getting({"$ref": "#/components/schemas/A"}), {"A": schema}, version))
        record = api.named["#/components/schemas/A"]
        assert isinstance(record, Record)
        shapes.append(record.fields[0].shape)
    assert shapes[0] == shapes[1]


def test_a_parent_with_a_discriminator_means_its_children() -> None:
    parent = {"type": "object", "discriminator": {"propertyName": "kind"}, "required": ["kind"],
              "properties": {"kind": {"type": "string"}}}  # fmt: skip
    child = {"allOf": [{"$ref": "#/components/schemas/P"}, {"properties": {"x": {}}}]}
    other = {"allOf": [{"$ref": "#/components/schemas/P"}, {"properties": {"y": {}}}]}
    api = read(
        document(getting({"$ref": "#/components/schemas/P"}), {"P": parent, "A": child, "B": other})
    )
    made = plan(api)
    tags = {c.name: getattr(c, "tag", "") for c in made.classes.values()}
    assert tags == {"P": "", "A": "A", "B": "B"}
    assert api.operations[0].answers[0].shape == Ref("#/components/schemas/P")


# Anything at all in any place: either it can be read, or it is said what is wrong with it.
_TORTURE = load(TORTURE).files[""]
_JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 999), st.text(max_size=5), st.just([]), st.just({}),
    st.just([{}]), st.just({"type": "object"}), st.just({"$ref": "#/components/schemas/Pet"}),
    st.just({"$ref": "#/x"}), st.just(["a", None, 3]), st.just({"a": {"b": []}}), st.just(1.5),
)  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(json.dumps(_TORTURE))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = whole
        for _ in range(draw(st.integers(1, 9))):
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or draw(st.integers(0, 6)) == 0:
                place[key] = copy.deepcopy(draw(_JUNK))
                break
            place = place[key]
    return whole


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(spoilt())
def test_a_spoilt_contract_is_read_or_refused(contract: dict[str, Any]) -> None:
    try:
        made = plan(read(contract), "torture", reserved=RESERVED)
    except DocumentError:
        return
    compile(module(made, Header("t", "1", "x", "s", "a")), "spoilt.py", "exec")
    make(made)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.sampled_from(["string", "object"])), st.text())
def test_any_name_and_any_text_make_a_module(fields: dict[str, str], text: str) -> None:
    thing = {
        "type": "object",
        "description": text,
        "properties": {name: {"type": kind, "description": text} for name, kind in fields.items()},
    }
    contract = document(getting({"$ref": "#/components/schemas/A"}, text or "x"), {"A": thing})
    contract["info"]["title"] = contract["info"]["description"] = text
    made = plan(read(contract), text, reserved=RESERVED)
    source = module(made, Header(text, "1", "x", text, text))
    compile(source, "named.py", "exec")
    space: dict[str, Any] = {"__name__": "named"}
    exec(source, space)
    assert make(made).operations.keys() <= vars(space[made.name]).keys()

"""docs/fleet-toml.md and the schema say the same as the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from skerry.spec import SpecError, loads
from skerry.spec.keys import KINDS, TABLES
from skerry.spec.schema import json_schema
from skerry.spec.templates import PARTS

PAGE = Path(__file__).parents[2] / "docs/fleet-toml.md"


def sections() -> dict[str, str]:
    """Table → its part of the page."""
    parts = re.split(r"^## `\[(\w+)(?:\.NAME)?\]`$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("table", TABLES)
def test_every_key_is_documented_and_no_other(table: str) -> None:
    documented = re.findall(
        r"^\| `(\w+)` \|[^|]*\|[^|]*\|[^|]*\|$", sections()[table], re.MULTILINE
    )
    assert sorted(documented) == sorted(key.name for key in TABLES[table])


def test_every_part_and_kind_is_documented() -> None:
    page = PAGE.read_text("utf-8")
    assert all(f"`{part}`" in page for part in PARTS)
    assert all(f'`"{kind}"`' in page for kind in KINDS)


def test_the_example_loads(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert example is not None
    for name in ("portal", "quotes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text("app = None\n")
    fleet = loads(example[1].encode(), tmp_path / "fleet.toml")
    assert fleet.name == "tuition"
    jsonschema.Draft202012Validator(json_schema()).validate(tomllib.loads(example[1]))


def test_the_schema_is_one_and_refuses_what_the_reader_refuses() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    wrong = {"apps": {"a": {"instances": "2", "need": []}}, "front": {"port": 0}}
    paths = {
        "/".join(map(str, error.path))
        for error in jsonschema.Draft202012Validator(schema).iter_errors(wrong)
    }
    assert paths == {"apps/a", "apps/a/instances", "front/port"}
    with pytest.raises(SpecError):
        loads(b'apps.a = {instances = "2", need = []}\nfront.port = 0', Path("fleet.toml"))

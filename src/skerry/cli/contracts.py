"""Verbs about promises: stack, contract, client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .apps import app_of, document_of
from .output import echo_json, fail, nearest, note, table
from .place import fleet_file


def stack(file: str, name: str, endpoint: str, client: str, as_json: bool) -> int:
    app = app_of(file, name)
    if client:
        rows = app.connector.describe(client)
    else:
        found = {declared.declaration.name: declared for declared in app.endpoints()}
        if endpoint and endpoint not in found:
            fail(f"{name} has no endpoint {endpoint!r}.{nearest(endpoint, sorted(found))}")
        rows = app.describe(endpoint or next(iter(found), ""))
    if as_json:
        echo_json(
            [
                {
                    "half": row.half,
                    "role": row.role,
                    "filter": row.filter,
                    "below": list(row.below),
                    "because": row.because,
                }
                for row in rows
            ]
        )
        return 0
    lines = [[row.half, row.role, row.filter or "-", row.because] for row in rows]
    table(["WHERE", "SLOT", "FILTER", "BECAUSE"], lines)
    return 0


def show(file: str, name: str, as_json: bool) -> int:
    document = document_of(file, name)
    if as_json:
        echo_json(document)
        return 0
    info = document["info"]
    print(f"{info['title']} {info['version']}")
    rows = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, dict) and "responses" in operation:
                answers = " ".join(code for code in operation["responses"] if code != "default")
                summary = operation.get("summary", "")
                rows.append(
                    [operation.get("operationId", ""), method.upper(), path, answers, summary]
                )
    table(["OPERATION", "METHOD", "PATH", "ANSWERS", ""], rows)
    return 0


def export(file: str, name: str, output: str) -> int:
    text = json.dumps(document_of(file, name), indent=2, ensure_ascii=False) + "\n"
    if output == "-":
        print(text, end="")
        return 0
    Path(output or f"{name}.openapi.json").write_text(text, "utf-8")
    note(f"wrote {output or f'{name}.openapi.json'}")
    return 0


def client_add(file: str, source: str, target: str, name: str, plain: bool) -> int:
    from skerry.clients.files import write_client

    origin, contract, called = _source(file, source)
    name = name or called
    path = Path(target or f"clients/{name.replace('-', '_')}.py")
    written = write_client(contract, path, name, plain=plain, origin=origin)
    print(f"wrote {written.path}: {written.operations} operations, {written.models} models")
    for operation, reason in written.left_out:
        note(f"left out {operation}: {reason}")
    return 0


def _source(file: str, source: str) -> tuple[str, Any, str]:
    """Where a contract comes from: its origin for the header, the contract, a name."""
    if source.startswith(("http://", "https://")):
        from urllib.parse import urlsplit

        parts = urlsplit(source)
        last = parts.path.rstrip("/").rpartition("/")[2].partition(".")[0]
        named = last if last not in ("", "openapi", "swagger") else (parts.hostname or "api")
        return "", source, "".join(c if c.isalnum() else "_" for c in named).strip("_")
    if Path(source).suffix in (".json", ".yaml", ".yml"):
        if not Path(source).is_file():
            fail(f"{source}: there is no such file")
        return "", source, Path(source).name.partition(".")[0]
    return f"app:{source}", document_of(file, source), source


def _modules(paths: list[str]) -> list[Path]:
    """The generated modules among ``paths``: files, or everything below folders."""
    from skerry.clients.header import read_header

    found = []
    for path in map(Path, paths or ["."]):
        if path.is_dir():
            below = sorted(p for p in path.rglob("clients/*.py") if ".venv" not in p.parts)
            found += [module for module in below if read_header(module) is not None]
        elif path.is_file():
            found.append(path)
        else:
            fail(f"{path}: there is no such file")
    if not found:
        fail("there is no generated client here; `skerry client add NAME` writes one")
    return found


def _contract_for(file: str, module: Path) -> Any:
    from skerry.clients.header import read_header

    header = read_header(module)
    source = header.source if header is not None else ""
    if source.startswith("app:"):
        return document_of(file or str(_fleet_above(module)), source.removeprefix("app:"))
    return None


def _fleet_above(module: Path) -> Path:
    for folder in module.absolute().parents:
        if (folder / "fleet.toml").is_file():
            return folder / "fleet.toml"
    return fleet_file("")


def client_update(file: str, paths: list[str]) -> int:
    from skerry.clients.files import update_client

    for module in _modules(paths):
        written = update_client(module, _contract_for(file, module))
        print(f"{'updated' if written.changed else 'current'}  {module}")
    return 0


def client_check(file: str, paths: list[str], as_json: bool) -> int:
    from skerry.clients.files import check_client

    found = []
    for module in _modules(paths):
        stale = check_client(module, _contract_for(file, module))
        found.append({"path": str(module), "stale": str(stale) if stale else None})
    if as_json:
        echo_json(found)
    else:
        for entry in found:
            print(entry["stale"] or f"current  {entry['path']}")
    if any(entry["stale"] for entry in found):
        note("`skerry client update` writes them again")
        return 1
    return 0

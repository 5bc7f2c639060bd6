"""Verbs that show what an app promises, and what stands around its code: contract, stack."""

from __future__ import annotations

import json
from pathlib import Path

from .apps import ask_code, document_of
from .operations import operations, resolved
from .output import echo_json, fail, note, table
from .place import fleet_file


def stack(name: str, endpoint: str, handler: str, client: str, as_json: bool, file: str) -> int:
    """Show the stack of an endpoint, of a handler, or of calls to another app."""
    wanted = {"endpoint": endpoint, "handler": handler, "client": client}
    chosen = {key: value for key, value in wanted.items() if value}
    if len(chosen) > 1:
        fail(f"{' and '.join(f'--{key}' for key in chosen)}: one stack at a time", 2)
    rows = ask_code(fleet_file(file), name, "stack", **chosen)
    if as_json:
        echo_json(rows)
        return 0
    table(
        ("WHERE", "SLOT", "FILTER", "BECAUSE"),
        [[row["half"], row["role"], row["filter"] or "-", row["because"]] for row in rows],
    )
    return 0


def show(name: str, as_json: bool, file: str) -> int:
    """List the operations of a contract, or print it whole."""
    document = document_of(file, name)
    if as_json:
        echo_json(document)
        return 0
    info = document.get("info", {})
    print(f"{info.get('title', name)} {info.get('version', '')}".rstrip())
    if info.get("description"):
        print(info["description"])
    print()
    rows = []
    for called, operation in operations(document, name).items():
        item = resolved(document["paths"][operation.path], document)
        said = item[operation.method.lower()]
        answers = " ".join(code for code in said.get("responses", {}) if code != "default")
        rows.append([called, operation.method, operation.path, answers, said.get("summary", "")])
    table(("OPERATION", "METHOD", "PATH", "ANSWERS", "SUMMARY"), rows)
    return 0


def export(name: str, output: str, file: str) -> int:
    """Write a contract to a file, or print it."""
    text = json.dumps(document_of(file, name), indent=2, ensure_ascii=False) + "\n"
    if output == "-":
        print(text, end="")
        return 0
    path = Path(output or f"{name}.openapi.json")
    path.write_text(text, "utf-8")
    note(f"wrote {path}")
    return 0

"""Verbs that show what an app promises, and what stands around its code: contract, stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .apps import ask_code, document_of
from .operations import operations, resolved
from .output import echo_json, fail, note, table
from .place import fleet_file


def stack(
    name: str, endpoint: str, handler: str, client: str, live: bool, as_json: bool, file: str
) -> int:
    """Show the stack of an endpoint, of a handler, or of calls to another app; or how all of
    them are doing."""
    wanted = {"endpoint": endpoint, "handler": handler, "client": client}
    chosen = {key: value for key, value in wanted.items() if value}
    if len(chosen) > 1:
        fail(f"{' and '.join(f'--{key}' for key in chosen)}: one stack at a time", 2)
    if live:
        if chosen:
            fail("--live shows all stacks of an app together", 2)
        from .livestack import live as show_live

        return show_live(name, as_json, file)
    rows = ask_code(fleet_file(file), name, "stack", **chosen)
    if as_json:
        echo_json(rows)
        return 0
    table(
        ("WHERE", "SLOT", "FILTER", "BECAUSE"),
        [[row["half"], row["role"], row["filter"] or "-", row["because"]] for row in rows],
    )
    return 0


def show(name: str, events: bool, as_json: bool, file: str) -> int:
    """List the operations of a contract, or its events, or print it whole."""
    document = document_of(file, name, "events" if events else "contract")
    if as_json:
        echo_json(document)
        return 0
    info = document.get("info", {})
    print(f"{info.get('title', name)} {info.get('version', '')}".rstrip())
    if info.get("description"):
        print(info["description"])
    print()
    if events:
        table(("EVENT", "ACTION", "KEY", "SUMMARY"), _events(document))
        return 0
    rows = []
    for called, operation in operations(document, name).items():
        item = resolved(document["paths"][operation.path], document)
        said = item[operation.method.lower()]
        answers = " ".join(code for code in said.get("responses", {}) if code != "default")
        rows.append([called, operation.method, operation.path, answers, said.get("summary", "")])
    table(("OPERATION", "METHOD", "PATH", "ANSWERS", "SUMMARY"), rows)
    if "x-asyncapi" in document:
        note(f"it has events, too: `skerry contract show {name} --events`")
    return 0


def _events(document: dict[str, Any]) -> list[list[str]]:
    """Each message with what is done with it: what handlers say of it, or it says itself."""
    rows = []
    for operation in document.get("operations", {}).values():
        for reference in operation.get("messages", ()):
            message = resolved(reference, document)
            key = str(message.get("x-key", "")).rpartition("#/")[2]
            said = operation.get("summary") or message.get("summary", "")
            rows.append([message.get("name", ""), operation.get("action", ""), key, said])
    return rows


def export(name: str, output: str, events: bool, file: str) -> int:
    """Write a contract to a file, or print it."""
    document = document_of(file, name, "events" if events else "contract")
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if output == "-":
        print(text, end="")
        return 0
    path = Path(output or f"{name}.{'asyncapi' if events else 'openapi'}.json")
    path.write_text(text, "utf-8")
    note(f"wrote {path}")
    return 0

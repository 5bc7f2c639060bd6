"""What a bench prints: rows with a median, its spread and its budget."""

from __future__ import annotations

import json
import operator
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        id: stable; other tools read it.
        value, low, high: median, least and greatest of the rounds.
        budget: ``">= 0.75"``, ``"<= 3"``, or empty.
    """

    id: str
    value: float
    low: float
    high: float
    unit: str
    budget: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        if not self.budget:
            return None
        sign, bound = self.budget.split()
        compare = {">=": operator.ge, "<=": operator.le}[sign]
        return bool(compare(self.value, float(bound)))


@dataclass
class Report:
    """The rows of one bench, and what had to be left out."""

    name: str
    machine: str
    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(
        self, id: str, samples: Sequence[float], unit: str, budget: str = "", note: str = ""
    ) -> None:
        value = statistics.median(samples)
        self.rows.append(Row(id, value, min(samples), max(samples), unit, budget, note))

    def ratio(
        self, id: str, ours: Sequence[float], theirs: Sequence[float], budget: str = ""
    ) -> None:
        """Ours over theirs, round by round, so that a machine that slows down slows both."""
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        self.add(id, ratios, "×", budget)

    def leave_out(self, what: str, why: object) -> None:
        self.left_out.append(f"{what}: {why}")

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "machine": self.machine,
            "rows": [
                {k: v for k, v in asdict(row).items() if k != "note" or v} for row in self.rows
            ],
            "left_out": self.left_out,
        }

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(self.document(), indent=2) + "\n")

    def table(self) -> str:
        """The rows as a Markdown table, which is also how they are printed."""
        lines = [
            "| row | median | low – high | unit | budget | met |",
            "|---|---:|---:|---|---|---|",
        ]
        for row in self.rows:
            met = {True: "yes", False: "**no**", None: ""}[row.met]
            lines.append(
                f"| `{row.id}` | {_figure(row.value)} | {_figure(row.low)} – {_figure(row.high)} "
                f"| {row.unit} | {row.budget} | {met} |"
            )
        lines += [f"\nLeft out: {line}" for line in self.left_out]
        return "\n".join(lines)


def _figure(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 10 else f"{value:.1f}"

"""What the documentation names is there: files, links, public names; its code is Python."""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path

import pytest

import skerry

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BY_NAME = {str(page.relative_to(ROOT)): page for page in PAGES}


@pytest.fixture(params=BY_NAME)
def page(request: pytest.FixtureRequest) -> Path:
    return BY_NAME[request.param]


def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_modules_are_where_they_are_said_to_be(page: Path) -> None:
    folders = [path.name for path in (ROOT / "src/skerry").iterdir() if path.is_dir()]
    named = re.findall(rf"`((?:{'|'.join(folders)})/[a-z_0-9]+\.py)`", page.read_text())
    assert [name for name in named if not (ROOT / "src/skerry" / name).exists()] == []


def test_code_is_python_and_imports_what_there_is(page: Path) -> None:
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        tree = ast.parse(f"async def page():\n{textwrap.indent(block, '    ')}")
        wanted = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "skerry"
            for alias in node.names
        }
        assert wanted <= set(skerry.__all__)

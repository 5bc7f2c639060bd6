from __future__ import annotations

from types import ModuleType

import pytest

from .support import TORTURE, generated


@pytest.fixture(scope="session")
def torture(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return generated(TORTURE, tmp_path_factory.mktemp("torture"), "torture")


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    pytest.importorskip("httpx", reason="plain clients need httpx: pip install httpx")
    return generated(TORTURE, tmp_path_factory.mktemp("plain"), "plain_torture", plain=True)

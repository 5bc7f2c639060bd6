"""Compose projects of more than one file, and what a file says by reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skerry.core.errors import ConfigError
from skerry.fleet.compose import read_compose
from skerry.fleet.composefiles import Project, merged
from skerry.fleet.importer import import_fleet
from skerry.spec import loads

BASE = """
services:
  web:
    extends: {file: common/base.yml, service: python}
    command: uvicorn main:app
    environment: ["A=1", "B=2"]
    ports: ["8000:8000"]
  job: {extends: web, command: celery worker}
  db: {image: "postgres:${PG:-16}", env_file: db.env}
"""
OVERRIDE = """
services:
  web:
    command: [uvicorn, main:app, --reload]
    environment: {B: two, C: "${UNKNOWN}", D: "${WORD:-${OTHER:-deep}}", E: "$$HOME"}
    ports: !override ["9000:8000"]
  mail: {image: mailhog, profiles: [dev]}
"""
COMMON = """
services:
  python:
    build: ../src
    env_file: [settings.env, {path: none.env, required: false}]
    volumes: [../src:/code]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "compose.yml": BASE,
        "docker-compose.override.yml": OVERRIDE,
        "docker-compose.prod.yml": "services: {}",
        "common/base.yml": COMMON,
        "common/settings.env": "LEVEL=${WORD:-info}\n",
        "db.env": "POSTGRES_USER=me\nPOSTGRES_DB=shop\n",
        ".env.example": "UNKNOWN=\n",
        "src/main.py": "app = None\n",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return tmp_path


def test_what_several_files_say_together(folder: Path) -> None:
    project = Project(folder / "compose.yml")
    web = project.services["web"]
    assert web["command"] == ["uvicorn", "main:app", "--reload"]
    assert web["environment"] == {"A": "1", "B": "two", "C": "", "D": "deep", "E": "$HOME"}
    assert web["ports"] == ["9000:8000"]
    assert (web["build"], web["volumes"]) == ("src", ["./src:/code"])
    assert project.services["job"]["command"] == "celery worker"
    assert project.services["job"]["build"] == "src"
    assert project.services["db"]["image"] == "postgres:16"
    notes = dict(project.notes)
    assert notes["UNKNOWN"] == "has no value in .env and is taken as empty"
    assert "copy it to .env" in notes[".env.example"]
    assert "not read" in notes["docker-compose.prod.yml"]


def test_they_become_one_fleet(folder: Path) -> None:
    imported = import_fleet(folder)
    fleet = loads(imported.text.encode(), folder / "fleet.toml")
    web = fleet.apps["web"]
    assert (web.path, web.port, web.env["LEVEL"]) == (folder / "src", 9000, "info")
    assert fleet.apps["job"].http is False
    assert "mail: left out: it is in the profile dev" in "\n".join(imported.notes)


def test_what_env_chooses(folder: Path) -> None:
    (folder / ".env").write_text(
        "COMPOSE_FILE=compose.yml:more.yml\nCOMPOSE_PROFILES=dev\nUNKNOWN=1\nPG=15\n"
    )
    (folder / "more.yml").write_text(
        "include: [common/other.yml, gone.yml]\n"
        "services:\n  tool: {build: src, command: uvicorn main:app, profiles: [dev]}\n"
    )
    (folder / "common/other.yml").write_text("services: {cache: {image: redis}}")
    draft = read_compose(folder / "compose.yml")
    assert set(draft.apps) == {"web", "job", "tool"}
    assert draft.backings["cache"].kind == "redis"
    assert draft.backings["db"].words == {"user": "me", "database": "shop"}
    notes = "\n".join(draft.notes)
    assert "gone.yml: is included by more.yml, but cannot be read" in notes
    assert "UNKNOWN" not in notes


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        """
        services:
          a: {extends: b, build: ., command: "flask run"}
          b: {extends: {service: c, file: gone.yml}, env_file: gone.env, build: .}
          c: {extends: c, build: .}
          once: {build: ., command: ./migrate.sh}
          d:
            build: .
            command: gunicorn a:b -b :${PORT:?which}
            depends_on: {once: {condition: service_completed_successfully}}
          door: {build: door}
          quiet: {build: ., command: ./serve}
        """
    )
    (tmp_path / "door").mkdir()
    (tmp_path / "door" / "Dockerfile").write_text("FROM nginx:alpine\n")
    notes = "\n".join(read_compose(tmp_path / "compose.yaml").notes)
    for said in (
        "b: extends c of gone.yml, which is not there",
        "c: extends c of compose.yaml, which is not there",
        "b: its env_file gone.env is not there",
        "once: left out: `./migrate.sh` runs once, before d starts",
        "PORT: has no value in .env and is taken as empty (which)",
        "door: left out (nginx:alpine): the front door does this",
        "quiet: shows no port; if it serves on $PORT, drop http = false",
    ):
        assert said in notes


def test_an_apps_own_port_in_its_environment(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services: {a: {build: ., command: ./run, expose: [80],"
        " environment: {ADDRESS: '0.0.0.0:80', RUN_PORT: 80, LIMIT: 80, OTHER: 'b:80'}}}"
    )
    assert read_compose(tmp_path / "compose.yaml").apps["a"].env == {
        "ADDRESS": "127.0.0.1:{a.port}",
        "RUN_PORT": "{a.port}",
        "LIMIT": "80",
        "OTHER": "b:80",
    }


@pytest.mark.parametrize(
    ("key", "base", "over", "whole"),
    [
        ("ports", ["1"], ["2", "1"], ["1", "2"]),
        ("command", ["a"], ["b"], ["b"]),
        ("environment", ["A=1", "B"], {"A": 2}, {"A": 2, "B": None}),
        ("depends_on", ["a"], {"b": {}}, {"a": None, "b": {}}),
        ("image", "a", None, "a"),
        ("build", ".", {"context": "x"}, {"context": "x"}),
    ],
)
def test_how_values_are_merged(key: str, base: Any, over: Any, whole: Any) -> None:
    assert merged({key: base}, {key: over}) == {key: whole}


def test_tags_that_nobody_knows_are_no_error(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("services: {a: {image: !reset null, build: !other {x: 1}}}")
    assert Project(file).services == {"a": {"image": None, "build": {"x": 1}}}
    file.write_text("services: !reset {}")
    with pytest.raises(ConfigError, match="no services"):
        Project(file)

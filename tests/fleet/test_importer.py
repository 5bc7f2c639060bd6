"""``skerry init``: what compose files and Procfiles of real shape become."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from skerry.core.errors import ConfigError
from skerry.fleet.importer import import_fleet, write_fleet
from skerry.spec import Fleet, load, loads, substitute

SHOP = """\
name: shop
x-common: &common
  restart: unless-stopped
services:
  web:
    <<: *common
    build: ./web
    ports: ["8080:8000"]
    depends_on:
      db: {condition: service_healthy}
    environment:
      DATABASE_URL: postgresql+asyncpg://shop:pw@db:5432/shop?ssl=off
      DB_USER: shop
      DB_PASSWORD: ${DB_PASSWORD:-pw}
      DB_HOST: db
      DB_PORT: 5432
      QUOTES: http://quotes_api:5000/v1
      CACHE: redis://cache:6379/2
      BROKER_URL: "amqp://guest:guest@queue:5672//"
      LEVEL: info
      DEBUG: true
      FORMAT: '{"a": "{web.url}"}'
      PORT: 8000
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:8000/healthz"]
  quotes_api:
    build: {context: quotes}
    command: flask --app quotes run --host 0.0.0.0 -p 5000
    deploy: {replicas: 2}
    env_file: .env.quotes
    volumes: [cache:/var/cache]
  worker:
    build: ./web
    command: celery -A shop worker
    environment: ["DATABASE_URL=postgresql://shop:pw@db/shop", "PASSED"]
  db:
    image: postgres:16-alpine
    environment: {POSTGRES_USER: shop, POSTGRES_PASSWORD: pw, POSTGRES_DB: shop}
    volumes: ["data:/var/lib/postgresql/data"]
  cache: {image: "bitnami/redis:7"}
  queue: {image: "rabbitmq:3-management"}
  mail: {image: mailhog/mailhog}
  proxy: {image: nginx, ports: ["80:80"]}
  seed: {build: ./web, profiles: [tools]}
volumes: {data: {}, cache: {}}
"""
DOCKERFILE = """\
FROM python:3.12
WORKDIR /app
EXPOSE 8000
CMD ["uvicorn", "main:app", "--host", "0.0.0.0", "--port", "8000"]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for folder in ("web", "quotes"):
        (tmp_path / folder).mkdir()
    (tmp_path / "docker-compose.yml").write_text(SHOP)
    (tmp_path / "web/Dockerfile").write_text(DOCKERFILE)
    (tmp_path / ".env.quotes").write_text("RATE=1.5 # a comment\nAPI_KEY='s3cret'\n")
    return tmp_path


def fleet_of(folder: Path) -> Fleet:
    return loads(import_fleet(folder).text.encode(), folder / "fleet.toml")


def test_a_compose_file_becomes_a_fleet(shop: Path) -> None:
    fleet = fleet_of(shop)
    assert fleet.name == "shop"
    assert set(fleet.apps) == {"web", "quotes-api", "worker"}
    assert {name: it.kind for name, it in fleet.backings.items()} == {
        "db": "postgresql",
        "cache": "redis",
        "queue": "rabbitmq",
    }
    web, quotes, worker = fleet.apps["web"], fleet.apps["quotes-api"], fleet.apps["worker"]
    assert web.command == "uvicorn main:app --host 127.0.0.1 --port $PORT"
    assert web.path == shop / "web"
    assert web.port == 8080
    assert web.health == "/healthz"
    assert set(web.needs) == {"db", "quotes-api", "cache", "queue"}
    assert quotes.command == "flask --app quotes run --host 127.0.0.1 -p $PORT"
    assert quotes.instances == 2
    assert worker.command == "celery -A shop worker"
    assert not worker.http
    assert fleet.backings["db"].database == "shop"  # both of its apps work in it


def test_the_application_itself_is_offered(shop: Path) -> None:
    text = import_fleet(shop).text
    assert '\n# app = "main:app" # instead of the command' in text
    command = next(line for line in text.splitlines() if line.startswith('command = "uvicorn'))
    offered = text.replace(f"{command}\n# app", "app")
    web = loads(offered.encode(), shop / "fleet.toml").apps["web"]
    assert (web.app, web.command) == ("main:app", None)


def test_addresses_become_the_fleets_own(shop: Path) -> None:
    env = fleet_of(shop).apps["web"].env
    assert "PORT" not in env
    there = {
        "db": "postgresql://skerry:secret@127.0.0.1:1111/shop",
        "quotes-api": "http://127.0.0.1:2222",
        "cache": "redis://127.0.0.1:3333/0",
        "queue": "amqp://skerry:secret@127.0.0.1:4444/shop",
    }
    assert {name: substitute(value, there) for name, value in env.items()} == {
        "DATABASE_URL": "postgresql+asyncpg://skerry:secret@127.0.0.1:1111/shop?ssl=off",
        "DB_USER": "skerry",
        "DB_PASSWORD": "secret",
        "DB_HOST": "127.0.0.1",
        "DB_PORT": "1111",
        "QUOTES": "http://127.0.0.1:2222/v1",
        "CACHE": "redis://127.0.0.1:3333/2",
        "BROKER_URL": "amqp://skerry:secret@127.0.0.1:4444/shop",
        "LEVEL": "info",
        "DEBUG": "true",
        "FORMAT": '{"a": "{web.url}"}',
    }


def test_what_was_left_out_is_told_and_written_down(shop: Path) -> None:
    imported = import_fleet(shop)
    told = "\n".join(imported.notes)
    assert "mail: left out (mailhog/mailhog)" in told
    assert "proxy: left out (nginx): the front door does this" in told
    assert "seed: left out: it is in the profile tools" in told
    assert "quotes_api: volumes are not carried over" in told
    assert "quotes_api: API_KEY is in .env.quotes" in told
    assert all(f"#   {note}" in imported.text for note in imported.notes)
    assert "s3cret" not in imported.text
    assert 'RATE = "1.5"' in imported.text


def test_writes_once(shop: Path) -> None:
    write_fleet(shop)
    assert load(shop).name == "shop"
    (shop / "fleet.toml").write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        write_fleet(shop)
    assert (shop / "fleet.toml").read_text() == "mine"
    write_fleet(shop, overwrite=True)
    assert load(shop).name == "shop"


def test_an_app_that_cannot_run_is_a_comment_and_nobody_needs_it(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services: {web: {build: ., command: 'python web.py $$PORT', environment: "
        "{OTHER: 'http://gone:1'}}, gone: {build: ./nowhere}}"
    )
    fleet = fleet_of(tmp_path)
    assert set(fleet.apps) == {"web"}
    assert fleet.apps["web"].needs == ()
    text = import_fleet(tmp_path).text
    assert "# [apps.gone]" in text
    assert "there is no folder nowhere" in text


def test_a_procfile(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text(
        "# how it runs\n"
        "web: gunicorn shop.wsgi --log-file -\n"
        "worker: celery -A shop worker\n"
        "clock: python clock.py\n"
        "release: python manage.py migrate\n"
        "api_v2: bundle exec rackup -p $PORT\n"
    )
    (tmp_path / ".env").write_text("LEVEL=debug\nSECRET_KEY=x\nPORT=5000\n")
    fleet = fleet_of(tmp_path)
    assert {name: (app.command, app.http) for name, app in fleet.apps.items()} == {
        "web": ("gunicorn shop.wsgi --log-file - --bind 127.0.0.1:$PORT", True),
        "worker": ("celery -A shop worker", False),
        "clock": ("python clock.py", False),
        "api-v2": ("bundle exec rackup -p $PORT", True),
    }
    assert all(app.path == tmp_path for app in fleet.apps.values())
    assert fleet.apps["web"].env == {"LEVEL": "debug"}
    assert {note.partition(":")[0] for note in import_fleet(tmp_path).notes} == {
        "SECRET_KEY",
        "release",
    }


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("compose.yaml", "a: [", r"compose\.yaml:1: is not YAML"),
        ("compose.yaml", "- a", "is not a compose file"),
        ("compose.yaml", "services: {}", "there are no services in it"),
        ("compose.yml", "\x00", "is not YAML"),
        ("Procfile", "# nothing\n", "there is no process type in it"),
        ("README", "", "neither a compose file"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=message):
        import_fleet(tmp_path)


def test_folders_of_code(tmp_path: Path) -> None:
    for name, text in {
        "shop/app.py": "app = Flask('shop')\n# EXCHANGE_RATES_URL, SHOP_URL",
        "exchange_rates/main.py": "def create_app(): ...",
        "tests/app.py": "app = 1",
        "plain/notes.py": "",
        ".hidden/app.py": "app = 1",
    }.items():
        file = tmp_path / name
        file.parent.mkdir()
        file.write_text(text)
    fleet = fleet_of(tmp_path)
    assert {name: app.needs for name, app in fleet.apps.items()} == {
        "exchange-rates": (),
        "shop": ("exchange-rates",),
    }
    assert fleet.apps["exchange-rates"].app == "main:create_app()"
    (alone,) = fleet_of(tmp_path / "shop").apps.values()
    assert (alone.name, alone.path) == ("shop", tmp_path / "shop")


def test_folders_that_do_not_speak_of_each_other(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text("app = 1")
    assert "say who calls whom with needs =" in import_fleet(tmp_path).notes[0]


_words = st.sampled_from(
    ["web", "db", "a b", "ü", "http://db:80/x", "{db.url}", "db:5432", "$PORT", "", "\x7f", "8000"]
) | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)
_any = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 70000) | _words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3),
    max_leaves=6,
)
_service = st.fixed_dictionaries(
    {},
    optional={
        "image": st.sampled_from(["postgres:16", "redis", "rabbitmq", "python:3", "x/y", 3]) | _any,
        "build": st.sampled_from([".", "./nowhere", {"context": ".", "target": "a"}]) | _any,
        "command": _words | st.lists(_words, max_size=3) | _any,
        "environment": st.dictionaries(_words, _words, max_size=4) | st.lists(_words) | _any,
        "ports": st.lists(st.sampled_from(["80:80", "8000:8000", "1.2.3.4:9000:9", "99"])) | _any,
        "depends_on": st.lists(_words, max_size=2) | _any,
        "env_file": _any,
        "networks": _any,
        "healthcheck": _any,
        "deploy": _any,
        "volumes": _any,
        "entrypoint": _any,
    },
)


@given(st.dictionaries(_words | st.integers(), _service | _any, min_size=1, max_size=4), _any)
def test_whatever_is_imported_loads(services: dict[Any, Any], name: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        document = yaml.safe_dump({"name": name, "services": services})
        (root / "compose.yaml").write_text(document, "utf-8")
        fleet_of(root)


@given(st.text() | st.lists(_words.map(lambda word: f"{word}: {word}")).map("\n".join))
def test_whatever_a_procfile_says_loads(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "Procfile").write_text(text, "utf-8", "replace")
        try:
            fleet_of(root)
        except ConfigError as error:
            assert "no process type" in str(error)  # noqa: PT017

"""``docker-compose.yml`` → a draft of a fleet.

Compose files are written for containers, so not everything has a counterpart: what has none is
told, not guessed. (The Compose Specification, compose-spec.io.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from skerry.core.errors import ConfigError

from .commands import adapt, serves, shell_text
from .dockerfile import Image, read_dockerfile
from .drafts import AppDraft, BackingDraft, Draft, is_secret, read_dotenv
from .wiring import wire

FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")

_BACKINGS = {
    "postgresql": ("postgres", "postgresql", "postgis", "pgvector", "timescaledb"),
    "redis": ("redis", "redis-stack", "redis-stack-server", "valkey", "keydb", "dragonfly"),
    "rabbitmq": ("rabbitmq",),
}
_PROXIES = frozenset({"nginx", "traefik", "caddy", "haproxy", "envoy", "httpd"})
_RUNTIMES = frozenset({"python", "node", "ruby", "php", "golang", "openjdk", "bun", "deno", "uv"})
_CREDENTIALS = {
    "postgresql": {"user": "POSTGRES_USER", "password": "POSTGRES_PASSWORD"},
    "rabbitmq": {"user": "RABBITMQ_DEFAULT_USER", "password": "RABBITMQ_DEFAULT_PASS"},
    "redis": {},
}
_CONTAINER_ONLY = re.compile(
    r"PATH|HOME|PORT|LANG|LC_\w+|DEBIAN_FRONTEND|VIRTUAL_ENV|PYTHONPATH|(?:PIP|POETRY|UV|GEM|BUNDLE)_\w+"
)
# What the fleet sets itself is no use here, nor what no shell could set.
_USABLE = re.compile(r"(?!(?:PORT|SKERRY_\w+)\Z)[A-Za-z_][A-Za-z0-9_]*")
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:?[-?+])([^}]*))?\}|(\w+))")
_HEALTH = re.compile(r"https?://[^/\s\"']+(/[^\s\"'|;)]*)")


def read_compose(file: Path) -> Draft:
    """What ``file`` and what it refers to say.

    Raises:
        ConfigError: it is not YAML, or not a compose file.
    """
    document = _document(file)
    services = document.get("services")
    if not isinstance(services, dict) or not services:
        raise ConfigError(f"{file}: there are no services in it")
    draft = Draft(file.name)
    if isinstance(document.get("name"), str):
        draft.name = document["name"]
    found = [(str(name), it if isinstance(it, dict) else {}) for name, it in services.items()]
    importer = _Compose(draft, file.parent)
    # Backings first: what an app says about one can only be understood once it is known.
    for backing in (True, False):
        for name, service in found:
            if (importer.backing_kind(service) is not None) is backing:
                importer.take(name, service)
    importer.connect(found)
    return draft


def _document(file: Path) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(file.read_bytes())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{file}{line}: is not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: is not YAML: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{file}: is not a compose file")
    variables = read_dotenv(_text(file.parent / ".env"))
    filled: dict[str, Any] = _filled(document, variables)
    return filled


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    """``value`` with compose's ``${NAME:-default}`` filled in everywhere."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _variable(found, variables), value)
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, variables) for key, item in value.items()}
    return value


def _variable(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if found[1]:
        return "$"
    name, operator, word = found[2] or found[5], found[3] or "", found[4] or ""
    value = variables.get(name)
    given = bool(value) if operator.startswith(":") else value is not None
    if operator.endswith("+"):
        return word if given else ""
    if operator.endswith("-") and not given:
        return word
    return value or ""


class _Compose:
    def __init__(self, draft: Draft, folder: Path) -> None:
        self._draft = draft
        self._folder = folder
        self._names: dict[str, str] = {}  # services → names here

    def backing_kind(self, service: dict[str, Any]) -> str | None:
        if service.get("build"):
            return None
        image = _image_name(service)
        return next((kind for kind, images in _BACKINGS.items() if image in images), None)

    def take(self, name: str, service: dict[str, Any]) -> None:
        kind = self.backing_kind(service)
        if service.get("profiles"):
            self._draft.note(name, "left out: it is in a profile, so it does not start by itself")
        elif kind is not None:
            self._take_backing(name, kind, service)
        elif service.get("build") or _image_name(service) in _RUNTIMES:
            self._take_app(name, service)
        else:
            self._draft.note(name, self._without(name, service))

    def connect(self, services: list[tuple[str, dict[str, Any]]]) -> None:
        """Who needs whom, by ``depends_on`` and by what the environment speaks of."""
        draft = self._draft
        for name, service in services:
            app = draft.apps.get(self._names.get(name, ""))
            for other in _keys(service.get("depends_on")) if app else ():
                if app and other in self._names:
                    app.need(self._names[other])
        wire(draft)
        for backing in draft.backings.values():
            users = [app for app in draft.apps.values() if backing.name in app.needs]
            if len(users) < 2:
                backing.database = None  # it has its own anyway
        called = {need for app in draft.apps.values() for need in app.needs}
        for app in draft.apps.values():
            if app.http and app.command and not (app.ports or app.port or app.name in called):
                app.http = serves(app.command)

    def _take_backing(self, name: str, kind: str, service: dict[str, Any]) -> None:
        new = self._name(name, service)
        env = dict(_environment(service.get("environment")))
        words = {part: env[key] for part, key in _CREDENTIALS[kind].items() if env.get(key)}
        backing = BackingDraft(new, kind, words=words)
        if kind == "postgresql":
            words.setdefault("user", "postgres")
            words["database"] = env.get("POSTGRES_DB") or words["user"]
            # Over there every app works in this one database, so they may rely on that.
            if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,62}", words["database"]):
                backing.database = words["database"]
        self._draft.backings[new] = backing
        if re.search(r"\.sh|\.sql|initdb", str(service.get("volumes", ""))):
            self._draft.note(name, "its initial scripts are not run; its data begins empty")

    def _take_app(self, name: str, service: dict[str, Any]) -> None:
        draft = self._draft
        app = AppDraft(self._name(name, service))
        draft.apps[app.name] = app
        image = self._image(name, service, app)
        app.ports = [*_exposed(service), *image.ports]
        app.env = self._env(name, service, image)
        app.instances = _replicas(service)
        app.port = self._published(service) if app.instances == 1 else None
        app.health = _health(service)
        self._start(name, service, image, app)
        for key in ("volumes", "devices", "network_mode", "secrets", "configs", "extends"):
            mounted = key == "volumes" and all(_is_code(item) for item in _list(service.get(key)))
            if service.get(key) and not mounted:
                draft.note(name, f"{key} are not carried over")

    def _start(self, name: str, service: dict[str, Any], image: Image, app: AppDraft) -> None:
        entrypoint = shell_text(service.get("entrypoint")) or image.entrypoint
        command = shell_text(service.get("command"))
        if not command and not service.get("entrypoint"):
            command = image.command
        text = f"{entrypoint} {command}".strip()
        if image.folder != "/":  # the image's folder is the app's
            text = text.replace(image.folder.rstrip("/") + "/", "./")
        if not text:
            self._draft.note(app.name, "has no command; if it is not found by itself, say app =")
            return
        adapted = adapt(text, app.ports)
        app.command = adapted.text
        app.http = not adapted.worker
        published = bool(app.port or app.ports)
        if not adapted.told and not adapted.worker and published:
            self._draft.note(app.name, f"has to listen on $PORT; does `{adapted.text}`?")

    def _image(self, name: str, service: dict[str, Any], app: AppDraft) -> Image:
        build = service.get("build")
        if not build:  # a language's image with the code mounted into it
            mounts = [item for item in _list(service.get("volumes")) if _is_code(item)]
            app.path = _relative(str(mounts[0]).partition(":")[0]) if mounts else "."
            return Image(folder=str(service.get("working_dir") or "/"))
        settings = build if isinstance(build, dict) else {"context": build}
        app.path = _relative(str(settings.get("context") or "."))
        context = self._folder / app.path
        if settings.get("dockerfile_inline"):
            text = str(settings["dockerfile_inline"])
        else:
            file = context / str(settings.get("dockerfile") or "Dockerfile")
            text = _text(file)
            if not text and not service.get("command"):
                self._draft.note(name, f"there is no {file.name} in {app.path}")
        target = settings.get("target")
        return read_dockerfile(text, str(target) if target else None)

    def _env(self, name: str, service: dict[str, Any], image: Image) -> dict[str, str]:
        env = {key: it for key, it in image.env.items() if not _CONTAINER_ONLY.fullmatch(key)}
        for entry in _list(service.get("env_file")):
            file = str(entry.get("path", "") if isinstance(entry, dict) else entry)
            for key, value in read_dotenv(_text(self._folder / file)).items():
                if is_secret(key) and value:
                    self._draft.note(name, f"{key} is in {file}: set it where `skerry up` runs")
                else:
                    env[key] = value
        env.update(_environment(service.get("environment")))
        return {key: value for key, value in env.items() if _USABLE.fullmatch(key)}

    def _name(self, service_name: str, service: dict[str, Any]) -> str:
        name = self._draft.free_name(service_name)
        self._names[service_name] = name
        for host in (service_name, service.get("container_name"), service.get("hostname")):
            if host:
                self._draft.hosts.setdefault(str(host), name)
        networks = service.get("networks")
        for network in networks.values() if isinstance(networks, dict) else ():
            for alias in _list(network.get("aliases") if isinstance(network, dict) else None):
                self._draft.hosts.setdefault(str(alias), name)
        return name

    def _published(self, service: dict[str, Any]) -> int | None:
        """The host's port of its first published one, unless another app has it."""
        taken = {app.port for app in self._draft.apps.values()}
        for entry in _list(service.get("ports")):
            if isinstance(entry, dict):
                text = str(entry.get("published") or "")
            else:
                text = ":".join(str(entry).partition("/")[0].split(":")[-2:-1])
            if text.isdecimal() and 1024 <= int(text) <= 65535 and int(text) not in taken:
                return int(text)
        return None

    def _without(self, name: str, service: dict[str, Any]) -> str:
        image = service.get("image")
        if not image:
            return "left out: it has neither build nor image"
        if _image_name(service) in _PROXIES:
            return f"left out ({image}): the front door does this, see [front] routes"
        return (
            f"left out ({image}): nothing here starts that image. Where it runs elsewhere, "
            f"write [apps.{name}] url = … or [backings.{name}] url = …"
        )


def _image_name(service: dict[str, Any]) -> str:
    """``docker.io/bitnami/postgresql:16@sha256…`` → ``postgresql``."""
    image = str(service.get("image") or "").partition("@")[0]
    return image.rpartition("/")[2].partition(":")[0].lower()


def _environment(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if item is not None:  # without a value: that of whoever starts compose
                yield str(key), str(item).lower() if isinstance(item, bool) else str(item)
    for item in value if isinstance(value, list) else ():
        key, mark, text = str(item).partition("=")
        if mark:
            yield key, text


def _exposed(service: dict[str, Any]) -> list[int]:
    found = []
    for entry in [*_list(service.get("ports")), *_list(service.get("expose"))]:
        text = str(entry.get("target", "") if isinstance(entry, dict) else entry)
        inner = text.partition("/")[0].rpartition(":")[2].partition("-")[0]
        if inner.isdecimal() and inner.isascii():
            found.append(int(inner))
    return found


def _replicas(service: dict[str, Any]) -> int:
    deploy = service.get("deploy")
    count = deploy.get("replicas") if isinstance(deploy, dict) else None
    count = count if count is not None else service.get("scale")
    return count if isinstance(count, int) and 1 <= count <= 999 else 1


def _health(service: dict[str, Any]) -> str | None:
    check = service.get("healthcheck")
    test = check.get("test") if isinstance(check, dict) else None
    found = _HEALTH.search(shell_text(test))
    return found[1] if found else None


def _is_code(volume: Any) -> bool:
    """Whether a volume mounts the app's own folder, as is usual while developing."""
    return isinstance(volume, str) and volume.startswith((".", "/")) and ":" in volume


def _relative(path: str) -> str:
    return path.removeprefix("./").rstrip("/") or "."


def _keys(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | dict) else []


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except (OSError, ValueError):
        return ""

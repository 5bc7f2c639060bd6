"""``docker-compose.yml`` → a draft of a fleet.

Compose files are written for containers, so not everything has a counterpart: what has none is
told, not guessed. (The Compose Specification, compose-spec.io.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .commands import adapt, serves, shell_text
from .composefiles import Project, listed, text_of
from .dockerfile import Image, read_dockerfile
from .drafts import AppDraft, BackingDraft, Draft, is_secret, read_dotenv
from .wiring import wire

_BACKINGS = {
    "postgresql": ("postgres", "postgresql", "postgis", "pgvector", "timescaledb"),
    "redis": (
        "redis",
        "redis-stack",
        "redis-stack-server",
        "redismod",
        "valkey",
        "keydb",
        "dragonfly",
    ),
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
    r"PATH|HOME|PORT|USER|LANG|GO(?:PATH|CACHE|ROOT|BIN)|LC_\w+|DEBIAN_FRONTEND|VIRTUAL_ENV|PYTHONPATH|(?:PIP|POETRY|UV|GEM|BUNDLE)_\w+"
)
# What the fleet sets itself is no use here, nor what no shell could set.
_USABLE = re.compile(r"(?!(?:PORT|SKERRY_\w+)\Z)[A-Za-z_][A-Za-z0-9_]*")
_HEALTH = re.compile(r"https?://[^/\s\"']+(/[^\s\"'|;)]*)")


def read_compose(file: Path) -> Draft:
    """What ``file`` and what it refers to say.

    Raises:
        ConfigError: it is not YAML, or not a compose file.
    """
    project = Project(file)
    draft = Draft(file.name, project.name)
    importer = _Compose(draft, project)
    # Backings first: what an app says about one can only be understood once it is known.
    for backing in (True, False):
        for name, service in project.services.items():
            if (importer.backing_kind(service) is not None) is backing:
                importer.take(name, service)
    importer.connect()
    for name, text in project.notes:
        draft.note(name, text)
    return draft


class _Compose:
    def __init__(self, draft: Draft, project: Project) -> None:
        self._draft = draft
        self._project = project
        self._folder = project.folder
        self._profiles = set(project.variables.get("COMPOSE_PROFILES", "").split(","))
        self._before = {  # whoever has to end before others begin → one of those
            other: name
            for name, service in project.services.items()
            for other, how in _items(service.get("depends_on"))
            if isinstance(how, dict) and how.get("condition") == "service_completed_successfully"
        }
        self._names: dict[str, str] = {}  # services → names here

    def backing_kind(self, service: dict[str, Any]) -> str | None:
        if service.get("build"):
            return None
        image = _image_name(service)
        return next((kind for kind, images in _BACKINGS.items() if image in images), None)

    def take(self, name: str, service: dict[str, Any]) -> None:
        kind = self.backing_kind(service)
        profiles = [str(profile) for profile in listed(service.get("profiles"))]
        if profiles and not self._profiles.intersection(profiles):
            so = "so it does not start by itself"
            self._draft.note(name, f"left out: it is in the profile {', '.join(profiles)}, {so}")
        elif name in self._before and kind is None:
            how = shell_text(service.get("command")) or "its command"
            self._draft.note(
                name, f"left out: `{how}` runs once, before {self._before[name]} starts"
            )
        elif kind is not None:
            self._take_backing(name, kind, service)
        elif service.get("build") or _image_name(service) in _RUNTIMES:
            self._take_app(name, service)
        else:
            self._draft.note(name, self._without(name, service))

    def connect(self) -> None:
        """Who needs whom, by ``depends_on`` and by what the environment speaks of."""
        draft = self._draft
        for name, service in self._project.services.items():
            app = draft.apps.get(self._names.get(name, ""))
            for other, _ in _items(service.get("depends_on")) if app else ():
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
                if not app.http:
                    draft.note(app.name, "shows no port; if it serves on $PORT, drop http = false")

    def _take_backing(self, name: str, kind: str, service: dict[str, Any]) -> None:
        new = self._name(name, service)
        env = {key: value for key, (value, _) in self._env_files(name, service).items()}
        env.update(_environment(service.get("environment")))
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
        image = self._image(name, service, app)
        if _plain(image.base) in _PROXIES:
            draft.note(name, self._without(name, {"image": image.base}))
            return
        draft.apps[app.name] = app
        app.ports = [*_exposed(service), *image.ports]
        app.env = self._env(name, service, image)
        app.instances = _replicas(service)
        app.port = self._published(service) if app.instances == 1 else None
        app.health = _health(service)
        self._start(name, service, image, app)
        for key in ("volumes", "devices", "network_mode", "secrets", "configs"):
            mounted = key == "volumes" and all(_is_code(item) for item in listed(service.get(key)))
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
            return  # the base image has it; what can be found by itself needs none
        adapted = adapt(text, app.ports)
        app.command = adapted.text
        app.http = not adapted.worker
        published = bool(app.port or app.ports)
        if not adapted.told and not adapted.worker and published:
            self._draft.note(app.name, f"has to listen on $PORT; does `{adapted.text}`?")

    def _image(self, name: str, service: dict[str, Any], app: AppDraft) -> Image:
        build = service.get("build")
        if not build:  # a language's image with the code mounted into it
            mounts = [item for item in listed(service.get("volumes")) if _is_code(item)]
            app.path = _relative(str(mounts[0]).partition(":")[0]) if mounts else "."
            return Image(folder=str(service.get("working_dir") or "/"))
        settings = build if isinstance(build, dict) else {"context": build}
        app.path = _relative(str(settings.get("context") or "."))
        context = self._folder / app.path
        if settings.get("dockerfile_inline"):
            text = str(settings["dockerfile_inline"])
        else:
            file = context / str(settings.get("dockerfile") or "Dockerfile")
            text = text_of(file)
            if not text and not service.get("command"):
                self._draft.note(name, f"there is no {file.name} in {app.path}")
        target = settings.get("target")
        return read_dockerfile(text, str(target) if target else None)

    def _env(self, name: str, service: dict[str, Any], image: Image) -> dict[str, str]:
        env = {key: it for key, it in image.env.items() if not _CONTAINER_ONLY.fullmatch(key)}
        for key, (value, file) in self._env_files(name, service).items():
            if is_secret(key) and value:
                self._draft.note(name, f"{key} is in {file}: set it where `skerry up` runs")
            else:
                env[key] = value
        env.update(_environment(service.get("environment")))
        return {key: value for key, value in env.items() if _USABLE.fullmatch(key)}

    def _env_files(self, name: str, service: dict[str, Any]) -> dict[str, tuple[str, str]]:
        """What its ``env_file`` set, each with the file it is from."""
        found: dict[str, tuple[str, str]] = {}
        for entry in listed(service.get("env_file")):
            settings = entry if isinstance(entry, dict) else {"path": entry}
            file = str(settings.get("path", ""))
            if not (self._folder / file).is_file() and settings.get("required", True):
                self._draft.note(name, f"its env_file {file} is not there")
            said = self._project.filled(read_dotenv(text_of(self._folder / file)), told=False)
            found |= {key: (value, file) for key, value in said.items()}
        return found

    def _name(self, service_name: str, service: dict[str, Any]) -> str:
        name = self._draft.free_name(service_name)
        self._names[service_name] = name
        for host in (service_name, service.get("container_name"), service.get("hostname")):
            if host:
                self._draft.hosts.setdefault(str(host), name)
        networks = service.get("networks")
        for network in networks.values() if isinstance(networks, dict) else ():
            for alias in listed(network.get("aliases") if isinstance(network, dict) else None):
                self._draft.hosts.setdefault(str(alias), name)
        return name

    def _published(self, service: dict[str, Any]) -> int | None:
        """The host's port of its first published one, unless another app has it."""
        taken = {app.port for app in self._draft.apps.values()}
        for entry in listed(service.get("ports")):
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
    return _plain(str(service.get("image") or ""))


def _plain(image: str) -> str:
    """``docker.io/bitnami/postgresql:16@sha256…`` → ``postgresql``."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()


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
    for entry in [*listed(service.get("ports")), *listed(service.get("expose"))]:
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


def _items(value: Any) -> list[tuple[str, Any]]:
    """A mapping's items; of a list, its items without anything said of them."""
    if isinstance(value, list):
        return [(str(item), None) for item in value]
    return [(str(key), item) for key, item in value.items()] if isinstance(value, dict) else []

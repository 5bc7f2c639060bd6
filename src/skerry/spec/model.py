"""What ``fleet.toml`` says, as values.

Everything here is immutable and compares by value, so that a reload is the difference between
two specs and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class ObjectiveSpec:
    """What an app promises of an endpoint, or of all it does.

    Attributes:
        endpoint: ``POST /payments``; None for all.
        availability: percent of requests that do not fail on its side.
        latency: seconds in which ``within`` percent of them are answered.
    """

    endpoint: str | None = None
    availability: float | None = None
    latency: float | None = None
    within: float = 99.0


@dataclass(frozen=True, slots=True)
class AlertsSpec:
    """How people are told.

    Attributes:
        webhook: URL that is posted every alert, whoever owns what it is about.
        smtp: ``smtp://user:password@host:port``, or ``smtps://``; None where no mail is sent.
        sender: address that mail comes from.
    """

    webhook: str | None = None
    smtp: str | None = None
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class AppSpec:
    """One app of the fleet.

    Attributes:
        name: a DNS label.
        path: its folder, absolute. For an app from git the folder its files will have once
            they are fetched; for an outside app the fleet's own folder.
        app: where the application object is, ``package.module:variable``. None for a command,
            for an outside app, and for an app from git that has not been fetched yet
            (``skerry.spec.located`` fills it in afterwards).
        command: a shell command that serves HTTP on ``$PORT``.
        git: the URL of its repository; ``tag`` is then set as well.
        url: the address of an app that runs elsewhere.
        instances: how many copies run.
        needs: the apps and backings it uses, as written.
        port: the pinned port of the first instance; instance *n* has ``port + n - 1``.
        env: environment variables; values may hold ``{name.url}`` (see ``templates``).
        health: path that answers when it can work; None for the default of its kind.
        python: interpreter to run it with; None for the fleet's own.
        http: False for a worker, which serves nothing and so has no address.
        owner: who is told when it is in trouble: an e-mail address, or the URL of a webhook.
        team: whose it is, for people to read.
        objectives: what it promises.
    """

    name: str
    path: Path
    app: str | None = None
    command: str | None = None
    git: str | None = None
    tag: str | None = None
    url: str | None = None
    instances: int = 1
    needs: tuple[str, ...] = ()
    port: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    health: str | None = None
    python: Path | None = None
    http: bool = True
    owner: str | None = None
    team: str | None = None
    objectives: tuple[ObjectiveSpec, ...] = ()

    @property
    def kind(self) -> Literal["app", "command", "outside"]:
        """What runs it: an application object, a command of its own, or nobody here."""
        if self.url is not None:
            return "outside"
        return "app" if self.command is None else "command"

    @property
    def ports(self) -> range:
        """The ports it pins; empty when they are dynamic."""
        return range(0) if self.port is None else range(self.port, self.port + self.instances)


@dataclass(frozen=True, slots=True)
class BackingSpec:
    """A database, cache or broker that apps need.

    Attributes:
        name: a DNS label; apps find the address in ``<NAME>_URL``.
        kind: ``postgresql``, ``redis`` or ``rabbitmq``; with a ``url`` also anything else that
            has a URL scheme.
        url: where it runs already; None when the fleet is to start a local binary.
        port: the pinned port of the local one.
        database: for PostgreSQL, the one database that all apps share; None for one each.
    """

    name: str
    kind: str
    url: str | None = None
    port: int | None = None
    database: str | None = None


@dataclass(frozen=True, slots=True)
class BusSpec:
    """Where the events of the fleet go; by neither, into a file in ``.skerry/``.

    Attributes:
        url: ``sqlite:///…`` or ``amqp://…``.
        backing: the name of a RabbitMQ among the fleet's own backings.
    """

    url: str | None = None
    backing: str | None = None


@dataclass(frozen=True, slots=True)
class ObserveSpec:
    """What looks on: the collector of spans, and the console.

    Attributes:
        collector: whether the fleet runs one of its own.
        url: of a collector that runs elsewhere: spans go there by OTLP over HTTP.
        console: whether the fleet runs the console.
        port: the console's, pinned; None for one that is chosen once and then kept.
        keep_mib: how much the collector keeps before it forgets what is oldest.
    """

    collector: bool = True
    url: str | None = None
    console: bool = True
    port: int | None = None
    keep_mib: int = 1024


@dataclass(frozen=True, slots=True)
class JourneysSpec:
    """Acceptance tests across the apps, and who runs them.

    Attributes:
        path: the folder or file they are in, absolute.
        probe: whether the fleet runs them on their schedules, in a process of its own.
        keep: runs of each that are kept.
        owner: who is told of those that name nobody.
        objectives: what they promise; ``endpoint`` is a journey, None each by itself.
    """

    path: Path = Path("journeys")
    probe: bool = False
    keep: int = 100
    owner: str | None = None
    objectives: tuple[ObjectiveSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class FrontSpec:
    """The front door: one address for people, in front of all apps.

    Attributes:
        port: pinned, or None for one that is chosen once and then kept.
        host: the address to listen on.
        routes: path prefix → app.
    """

    routes: Mapping[str, str]
    port: int | None = None
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Fleet:
    """All apps that run together.

    Attributes:
        name: a DNS label.
        root: the folder that holds the file, absolute.
        file: the file itself.
        together: groups of apps that share a process; no app is in two.
        bus: where its events go.
        observe: what looks on.
        journeys: acceptance tests across it, and who runs them.
        alerts: how people are told.
        notes: what is allowed but worth saying (cycles of needs).
    """

    name: str
    root: Path
    file: Path
    apps: Mapping[str, AppSpec]
    backings: Mapping[str, BackingSpec]
    together: tuple[tuple[str, ...], ...] = ()
    front: FrontSpec | None = None
    bus: BusSpec = BusSpec()
    observe: ObserveSpec = ObserveSpec()
    journeys: JourneysSpec = JourneysSpec()
    alerts: AlertsSpec = AlertsSpec()
    notes: tuple[str, ...] = ()

    @property
    def state(self) -> Path:
        """Where everything that the running fleet writes is kept."""
        return self.root / ".skerry"

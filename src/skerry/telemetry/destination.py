"""Where spans go, as OpenTelemetry's own variables say it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from . import otlp, otlp_json, zipkin
from .spans import Span

log = logging.getLogger("skerry.telemetry")

Encode: TypeAlias = Callable[[Mapping[str, str], Sequence[Span], float], bytes]

_ZIPKIN = "http://localhost:9411/api/v2/spans"
_OTLP = "OTEL_EXPORTER_OTLP_"
_ALWAYS = ("always_on", "parentbased_always_on")
_NEVER = ("always_off", "parentbased_always_off")
_RATIO = ("traceidratio", "parentbased_traceidratio")


@dataclass(frozen=True, slots=True)
class Destination:
    """One back end.

    Attributes:
        url: that spans are posted to.
        encode, media_type: how they are written.
        headers: sent with them.
        timeout: seconds until an answer.
        compress: whether large bodies are.
        ca, certificate, key: files for TLS; empty for what the system has, and for none.
    """

    url: str
    encode: Encode = otlp.encode_protobuf
    media_type: str = otlp.MEDIA_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 5.0
    compress: bool = True
    ca: str = ""
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What becomes of spans.

    Attributes:
        destinations: that each of them goes to.
        resource: attributes of the process.
        every: seconds between two batches.
        batch: spans at once.
        room: spans that may wait.
        share: of all traces, by their ids, so that all apps choose the same.
    """

    destinations: tuple[Destination, ...]
    resource: Mapping[str, str] = field(default_factory=dict)
    every: float = 0.5
    batch: int = 512
    room: int = 20_000
    share: float = 1.0


def settings_from(
    environment: Mapping[str, str], service: str, version: str = ""
) -> ExportSettings | None:
    """What the variables say; None where spans go nowhere.

    Args:
        service: the app's name, if ``OTEL_SERVICE_NAME`` gives no other.
        version: the app's.
    """
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    share = _share(environment)
    found = tuple(_destinations(environment)) if share else ()
    if not found:
        return None
    return ExportSettings(
        found,
        _resource(environment, service, version),
        every=_seconds(environment, "OTEL_BSP_SCHEDULE_DELAY", 0.5),
        batch=_number(environment, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512),
        room=_number(environment, "OTEL_BSP_MAX_QUEUE_SIZE", 20_000),
        share=share,
    )


def _destinations(environment: Mapping[str, str]) -> list[Destination]:
    found: list[Destination] = []
    for name in environment.get("OTEL_TRACES_EXPORTER", "otlp").split(","):
        match name.strip():
            case "otlp":
                found += _otlp(environment)
            case "zipkin":
                found += _zipkin(environment)
            case "none" | "":
                pass
            case other:
                log.warning(
                    "OTEL_TRACES_EXPORTER: there is no exporter %r; there are otlp, zipkin, none",
                    other,
                )
    return found


def _otlp(environment: Mapping[str, str]) -> list[Destination]:
    def said(name: str) -> str:
        return environment.get(f"{_OTLP}TRACES_{name}") or environment.get(f"{_OTLP}{name}", "")

    url = environment.get(f"{_OTLP}TRACES_ENDPOINT", "")
    base = environment.get(f"{_OTLP}ENDPOINT", "").rstrip("/")
    url = url or (f"{base}/v1/traces" if base else "")
    if not url:
        return []
    protocol = said("PROTOCOL") or "http/protobuf"
    if protocol not in ("http/protobuf", "http/json"):
        log.warning(
            "spans go nowhere: %sPROTOCOL is %r, and only http/protobuf and http/json are spoken "
            "here; most back ends take them at port 4318",
            _OTLP,
            protocol,
        )
        return []
    in_json = protocol == "http/json"
    return _checked(
        Destination(
            url,
            otlp_json.encode_json if in_json else otlp.encode_protobuf,
            otlp_json.MEDIA_TYPE if in_json else otlp.MEDIA_TYPE,
            _pairs(said("HEADERS")),
            timeout=_milliseconds(said("TIMEOUT"), 5.0),
            compress=said("COMPRESSION") != "none",
            ca=said("CERTIFICATE"),
            certificate=said("CLIENT_CERTIFICATE"),
            key=said("CLIENT_KEY"),
        ),
        "an OTLP back end",
    )


def _zipkin(environment: Mapping[str, str]) -> list[Destination]:
    return _checked(
        Destination(
            environment.get("OTEL_EXPORTER_ZIPKIN_ENDPOINT") or _ZIPKIN,
            zipkin.encode_zipkin,
            zipkin.MEDIA_TYPE,
            timeout=_seconds(environment, "OTEL_EXPORTER_ZIPKIN_TIMEOUT", 5.0),
        ),
        "Zipkin",
    )


def _checked(destination: Destination, what: str) -> list[Destination]:
    """It, unless it cannot be reached whatever happens."""
    parts = urlsplit(destination.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        log.warning("spans go nowhere: %r is not the URL of %s", destination.url, what)
        return []
    files = (destination.ca, destination.certificate, destination.key)
    for file in filter(None, files):
        if not os.path.exists(file):
            log.warning("spans go nowhere: there is no file %s", file)
            return []
    return [destination]


def _resource(environment: Mapping[str, str], service: str, version: str) -> dict[str, str]:
    found = {"service.name": service, "telemetry.sdk.language": "python"}
    if version:
        found["service.version"] = version
    found |= _pairs(environment.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    named = environment.get("OTEL_SERVICE_NAME", "")
    if named:
        found["service.name"] = named
    return {**found, "telemetry.sdk.name": "skerry", "process.pid": str(os.getpid())}


def _share(environment: Mapping[str, str]) -> float:
    """Which part of all traces is wanted: all, unless somebody says otherwise."""
    sampler = environment.get("OTEL_TRACES_SAMPLER", "") or _ALWAYS[0]
    if sampler in _NEVER:
        return 0.0
    if sampler in _RATIO:
        try:
            share = float(environment.get("OTEL_TRACES_SAMPLER_ARG", "") or 1.0)
        except ValueError:
            share = -1.0
        if 0 <= share <= 1:
            return share
        log.warning("OTEL_TRACES_SAMPLER_ARG is a number from 0 to 1; all traces are recorded")
    elif sampler not in _ALWAYS:
        log.warning("OTEL_TRACES_SAMPLER: %r is not known here; all traces are recorded", sampler)
    return 1.0


def _pairs(text: str) -> dict[str, str]:
    """``a=b,c=d``, its values URL-encoded, as the W3C's baggage has it."""
    found = {}
    for pair in text.split(","):
        key, sign, value = pair.partition("=")
        if sign and key.strip():
            found[key.strip()] = unquote(value.strip())
    return found


def _seconds(environment: Mapping[str, str], name: str, otherwise: float) -> float:
    return _milliseconds(environment.get(name, ""), otherwise)


def _milliseconds(text: str, otherwise: float) -> float:
    """A number of milliseconds, in seconds."""
    try:
        return max(0.01, int(text) / 1000)
    except ValueError:
        return otherwise


def _number(environment: Mapping[str, str], name: str, otherwise: int) -> int:
    try:
        return max(1, int(environment.get(name, "")))
    except ValueError:
        return otherwise

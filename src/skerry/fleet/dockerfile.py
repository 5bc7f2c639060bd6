"""What a Dockerfile says about how its image starts; nothing of how it is built."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field, replace

from .commands import shell_text

_COMMENT = re.compile(r"^[ \t]*#.*\n?", re.MULTILINE)
_CONTINUED = re.compile(r"\\[ \t]*\n")
_FROM = re.compile(r"(?:--\S+\s+)*(\S+)(?:\s+as\s+(\S+))?", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{(\w+)(?::?-([^}]*))?\}|\$(\w+)")


@dataclass
class Image:
    """How an image starts.

    Attributes:
        entrypoint: for a shell; empty when there is none.
        command: for a shell; empty when there is none.
        folder: ``WORKDIR``.
        ports: ``EXPOSE``.
        env: ``ENV``.
        base: the image that all this is built on.
    """

    entrypoint: str = ""
    command: str = ""
    folder: str = "/"
    ports: list[int] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    base: str = ""

    @property
    def start(self) -> str:
        return f"{self.entrypoint} {self.command}".strip()


def read_dockerfile(text: str, target: str | None = None) -> Image:
    """The image of the last stage, or of the stage called ``target``.

    What cannot be understood is passed over: this is advice, not a build.
    """
    stages: dict[str, Image] = {}
    image = Image()
    text = _CONTINUED.sub(" ", _COMMENT.sub("", text.replace("\r\n", "\n")))
    for line in text.split("\n"):
        word, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if word.upper() == "FROM":
            if target is not None and target in stages:
                break
            image = _stage(rest, stages)
        else:
            _apply(image, word.upper(), rest)
    return stages.get(target or "", image)


def _stage(rest: str, stages: dict[str, Image]) -> Image:
    found = _FROM.match(rest)
    base = stages.get(found[1]) if found else None
    image = Image(base=found[1] if found else "")
    if base is not None:  # a stage that continues another one
        image = replace(base, ports=[*base.ports], env={**base.env})
    if found and found[2]:
        stages[found[2]] = image
    return image


def _apply(image: Image, word: str, rest: str) -> None:
    if word == "CMD":
        image.command = _command(rest)
    elif word == "ENTRYPOINT":
        image.entrypoint, image.command = _command(rest), ""
    elif word == "WORKDIR" and rest:
        folder = _filled(rest.strip("\"'"), image.env)
        image.folder = folder if folder.startswith("/") else f"{image.folder.rstrip('/')}/{folder}"
    elif word == "EXPOSE":
        numbers = (port.partition("/")[0] for port in _filled(rest, image.env).split())
        image.ports += [int(port) for port in numbers if port.isdecimal() and port.isascii()]
    elif word == "ENV":
        image.env.update(_variables(rest, image.env))


def _command(rest: str) -> str:
    if rest.startswith("["):
        try:
            return shell_text(json.loads(rest))
        except ValueError:
            pass  # not the exec form after all: Docker takes it for the shell form too
    return rest


def _variables(rest: str, env: dict[str, str]) -> dict[str, str]:
    try:
        words = shlex.split(rest)
    except ValueError:
        return {}
    if words and "=" not in words[0]:  # the old form: ENV NAME value
        return {words[0]: _filled(" ".join(words[1:]), env)}
    pairs = (word.partition("=") for word in words if "=" in word)
    return {name: _filled(value, env) for name, _, value in pairs}


def _filled(text: str, env: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda it: env.get(it[1] or it[3]) or it[2] or "", text)

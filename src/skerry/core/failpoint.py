"""Named places in the code where a process can be told to die, to stop or to wait.

What is promised of crashes is only worth something if it is tried at each moment that matters:
after a broker has confirmed and before the outbox says so, say. Those moments have names here.
A process that is told nothing passes them in some tens of nanoseconds; one that is::

    SKERRY_FAILPOINTS="relay.after_confirm=kill@3,consumer.before_commit=pause:2.5"

is killed when it is at the first for the third time, and stands still for 2.5 s at the second.
``docs/design/crash-matrix.md`` says what is proven with them.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import ConfigError, Error, nearest

VARIABLE = "SKERRY_FAILPOINTS"
ONCE = "SKERRY_FAILPOINTS_ONCE"
"""A folder: a point that acts leaves a file of its name there, and where there is one it does
not act again, in no process. So what is restarted is not killed again."""

POINTS: Mapping[str, str] = {
    "client.before_send": "a connection is had; nothing of the request has been sent",
    "client.after_send": "the request has been sent; there is no answer",
    "client.after_answer": "the answer has come; whoever called has not been given it",
    "server.before_function": "in the transaction, before the endpoint's function",
    "server.before_commit": "the function has returned; its transaction is open",
    "server.after_commit": "the transaction has committed; the answer has not left",
    "keys.before_claim": "a request has come with a key; nobody has looked it up",
    "keys.after_claim": "the key is ours; nothing has been done",
    "keys.expired": "the key was used so long ago that it is new again; it is being taken",
    "keys.before_commit": "the answer has been kept in the function's transaction, which is open",
    "keys.after_commit": "the answer is kept; the filter has not given it",
    "relay.before_claim": "rows of the outbox are locked for a claim that is not made",
    "relay.after_claim": "rows are claimed; nothing has been published",
    "relay.after_confirm": "the broker has accepted the rows; they are not marked",
    "relay.after_mark": "the rows are marked as sent",
    "driver.before_publish": "messages are about to be given to the broker",
    "driver.before_commit": "embedded: the messages are in the file's transaction, which is open",
    "driver.after_publish": "the messages have been sent or committed; nothing is confirmed",
    "driver.after_confirm": "the broker has confirmed; whoever published has not been told",
    "driver.before_ack": "a delivery is about to be acknowledged",
    "driver.after_ack": "the acknowledgement has been sent or committed",
    "driver.dead_letter": "the dead letter is published or written; its delivery is not over",
    "consumer.before_claim": "an event has been delivered; its attempt has not been counted",
    "consumer.after_claim": "the attempt is counted; the handler has not begun",
    "consumer.before_effects": "in the handler's transaction, before the handler",
    "consumer.before_commit": "the handler has returned; its transaction is open",
    "consumer.after_commit": "the handler's transaction has committed",
    "consumer.before_ack": "the event is done; the broker has not been told",
    "consumer.after_ack": "the broker has been told that the event is done",
    "consumer.after_bury": "the event is a dead letter; the inbox has not been told",
    "consumer.lease_lost": "an attempt has found that its event is somebody else's by now",
}
"""Every point there is, and where a process is when it is there."""

_ENTRY = re.compile(r"(?P<name>[\w.]+)=(?P<action>\w+)(:(?P<argument>[^@]*))?(@(?P<nth>\d+))?")
_FORM = "write it like 'relay.after_confirm=kill@3' or 'consumer.before_commit=pause:2.5'"


class Failpoint(Error):
    """Raised where a failpoint was told to ``raise``."""


@dataclass(slots=True)
class _Armed:
    act: Callable[[str], None]
    what: str
    nth: int
    passed: int = 0


_armed: dict[str, _Armed] | None = None
_once: Path | None = None
_turn = threading.Lock()


def hit(name: str) -> None:
    """The process is at ``name``. Blocks, raises, or does not return, if it was told to."""
    if _armed is None:
        return
    _reach(name)


def arm_from(environment: Mapping[str, str]) -> None:
    """Do as ``SKERRY_FAILPOINTS`` says; nothing where it says nothing.

    Raises:
        ConfigError: it cannot be read, or there is no such point.
    """
    text = environment.get(VARIABLE)
    if text:
        folder = environment.get(ONCE)
        arm(text, Path(folder) if folder else None)


def arm(text: str, once: Path | None = None) -> None:
    """From now on, act at these points and no others.

    ::

        NAME=kill           SIGKILL to this process
        NAME=pause:SECONDS  stop all of this process for so long
        NAME=raise          raise ``Failpoint``
        NAME=ask:SOCKET     say the name on a Unix socket, and wait for what is said there
        NAME=…@3            when it is there for the third time, and only then

    Args:
        text: such entries, separated by commas; empty for none.
        once: see ``ONCE``.

    Raises:
        ConfigError: an entry cannot be read, or there is no such point.
    """
    global _armed, _once
    found = dict(_entry(part.strip()) for part in text.split(",") if part.strip())
    with _turn:
        _once = once
        _armed = found or None


def _entry(text: str) -> tuple[str, _Armed]:
    parts = _ENTRY.fullmatch(text)
    if parts is None:
        raise ConfigError(f"{VARIABLE}: {text!r} cannot be read; {_FORM}")
    name, action, argument = parts["name"], parts["action"], parts["argument"]
    if name not in POINTS:
        raise ConfigError(f"{VARIABLE}: there is no failpoint {name!r}.{nearest(name, POINTS)}")
    try:
        act = _ACTIONS[action](argument)
    except KeyError:
        raise ConfigError(f"{VARIABLE}: nothing is called {action!r}; {_FORM}") from None
    except (TypeError, ValueError):
        raise ConfigError(f"{VARIABLE}: {action} does not take {argument!r}; {_FORM}") from None
    return name, _Armed(act, action, int(parts["nth"] or 0))


def _reach(name: str) -> None:
    with _turn:
        point = None if _armed is None else _armed.get(name)
        if point is None:
            return
        point.passed += 1
        if point.nth and point.passed != point.nth:
            return
        if _once is not None:
            try:
                with open(_once / name, "x") as mark:
                    mark.write(f"{os.getpid()} {point.what}\n")
            except FileExistsError:
                return
    point.act(name)


def _kill(argument: str | None) -> Callable[[str], None]:
    _refuse(argument)
    return lambda name: os.kill(os.getpid(), signal.SIGKILL)


def _raise(argument: str | None) -> Callable[[str], None]:
    _refuse(argument)

    def act(name: str) -> None:
        raise Failpoint(f"told to fail at {name}")

    return act


def _pause(argument: str | None) -> Callable[[str], None]:
    seconds = float(argument or "none")

    def act(name: str) -> None:
        """Threads and heartbeats stop as well, so that others take us for dead."""
        wake = f"sleep {seconds}; kill -CONT {os.getpid()}"
        helper = subprocess.Popen(["/bin/sh", "-c", wake], start_new_session=True)
        os.kill(os.getpid(), signal.SIGSTOP)
        helper.wait()

    return act


def _ask(argument: str | None) -> Callable[[str], None]:
    if not argument:
        raise ValueError

    def act(name: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.connect(argument)
            asking.sendall(f"{name} {os.getpid()}\n".encode())
            asking.recv(1)

    return act


def _refuse(argument: str | None) -> None:
    if argument is not None:
        raise ValueError


_ACTIONS: Mapping[str, Callable[[str | None], Callable[[str], None]]] = {
    "kill": _kill,
    "pause": _pause,
    "raise": _raise,
    "ask": _ask,
}

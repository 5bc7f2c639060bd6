"""``skerry completion``: what a shell needs to complete our words.

The script of each shell is a few lines that ask ``skerry completion words +WORD …`` what could
stand where the cursor is; the plus keeps the words from being read as our own options. So
everything is known here, once, and nothing of it grows old in somebody's start-up files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .options import Verb
from .output import Failed
from .verbs import GROUPS, VERBS

SCRIPTS = {
    "bash": r"""# eval "$(skerry completion bash)" in ~/.bashrc
_skerry() {
    local IFS=$'\n' typed=("${COMP_WORDS[@]:1:COMP_CWORD}")
    COMPREPLY=($(skerry completion words "${typed[@]/#/+}" 2>/dev/null))
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *. ]]; then compopt -o nospace; fi
}
complete -o default -F _skerry skerry
""",
    "zsh": r"""# eval "$(skerry completion zsh)" in ~/.zshrc, after compinit
_skerry() {
    local -a found
    found=(${(f)"$(skerry completion words "${(@)words[2,CURRENT]/#/+}" 2>/dev/null)"})
    if (( ! $#found )); then _files; return; fi
    compadd -S '' -- ${(M)found:#*.}
    compadd -- ${found:#*.}
}
compdef _skerry skerry
""",
    "fish": r"""# skerry completion fish > ~/.config/fish/completions/skerry.fish
function __skerry_words
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    skerry completion words +$before[2..-1] "+$current" 2>/dev/null
end
complete -c skerry -a '(__skerry_words)'
""",
}

_PATIENCE = 1.0  # seconds that an app may take for its contract, while somebody holds Tab
# Of what is named by a metavar, what there is.
_APPS = ("APP", "A,B", "OTHER", "NAME|FILE|URL")
_OPERATION = "APP.OPERATION"
_SUBSCRIPTION, _TOPIC = "SUBSCRIPTION", "TOPIC"
_JOURNEY = "JOURNEY"


def completion(shell: str, words: list[str]) -> int:
    """Print the script of a shell, or, for its use, the words that could stand last."""
    if shell in SCRIPTS:
        print(SCRIPTS[shell], end="")
        return 0
    *before, current = [word.removeprefix("+") for word in words] or [""]
    for word in sorted(set(candidates(before, current))):
        if word.startswith(current):
            print(word)
    return 0


def candidates(before: Sequence[str], current: str) -> Iterable[str]:
    """What could stand after ``before``; the beginning ``current`` is only looked at for names
    that have two parts."""
    file, rest = _globals(before)
    if file is None:
        return ()
    if not rest:
        globally = ("--file", "-C", "--debug", "--help", "--version")
        firsts = (name.partition(" ")[0] for name in VERBS)
        return globally if current.startswith("-") else firsts
    if rest[0] in GROUPS:
        if len(rest) == 1:
            return (name.partition(" ")[2] for name in VERBS if name.startswith(f"{rest[0]} "))
        rest = [f"{rest[0]} {rest[1]}", *rest[2:]]
    verb = VERBS.get(rest[0])
    return () if verb is None else _of_verb(verb, rest[1:], current, file)


def _globals(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The fleet file that is spoken of, and what is left; None while a value is being typed."""
    file, folder, rest = "", "", list(words)
    for name in ("--file", "-C"):
        while name in rest:
            at = rest.index(name)
            if at + 1 == len(rest):
                return None, []
            if name == "-C":
                folder = rest[at + 1]
            else:
                file = rest[at + 1]
            del rest[at : at + 2]
    if folder and not file.startswith("/"):
        file = str(Path(folder) / file)
    return file, [word for word in rest if word != "--debug"]


def _of_verb(verb: Verb, words: Sequence[str], current: str, file: str) -> Iterable[str]:
    options = {name: one for one in verb.options for name in one.names if name.startswith("-")}
    positionals = [one for one in verb.options if not one.names[0].startswith("-")]
    given = 0
    wanted: dict[str, Any] | None = None  # the settings of the option whose value comes next
    for word in words:
        if wanted is not None:
            wanted = None
        elif word in options and "metavar" in options[word].settings:
            wanted = options[word].settings
        elif not word.startswith("-"):
            given += 1
    if wanted is None:
        if current.startswith("-"):
            return [*options, "--help"]
        if not positionals:
            return ()
        last = positionals[-1].settings
        at_end = given >= len(positionals)
        if at_end and last.get("nargs") != "*":
            return ()
        wanted = last if at_end else positionals[given].settings
    return _named(wanted, current, file)


def _named(settings: dict[str, Any], current: str, file: str) -> Iterable[str]:
    metavar = settings.get("metavar", "")
    if metavar in _APPS:
        return _names(file)
    if metavar == _OPERATION:
        app, dot, _ = current.partition(".")
        return _operations(app, file) if dot else (f"{name}." for name in _names(file))
    if metavar in (_SUBSCRIPTION, _TOPIC):
        queues = _queues(file)
        if metavar == _SUBSCRIPTION:
            return (queue.subscription for queue in queues)
        return (topic for queue in queues for topic in queue.topics)
    if metavar == _JOURNEY:
        return _journeys(file)
    return [one for one in settings.get("choices", ()) if one in SCRIPTS]


def _names(file: str) -> list[str]:
    """The apps of the fleet, running or not; none where there is no fleet."""
    import tomllib

    from .place import fleet_file

    try:
        with open(fleet_file(file), "rb") as opened:
            document = tomllib.load(opened)
        return list(document["apps"].keys())
    except (Failed, OSError, ValueError, KeyError, AttributeError):
        return []


def _operations(app: str, file: str) -> Iterator[str]:
    """The operations of an app that runs."""
    from skerry.fleet.client import ControlError

    from .calling import contract, way
    from .operations import operations
    from .place import control

    try:
        document = contract(way(control(file).status(), app), app, _PATIENCE)
    except (Failed, ControlError):
        return
    for name in operations(document, app):
        if " " not in name:
            yield f"{app}.{name}"


def _queues(file: str) -> list[Any]:
    """The subscriptions of the fleet's bus; none where that cannot be asked."""
    from skerry.core.errors import Error
    from skerry.fleet.client import ControlError

    from .busplace import on_bus, url_of

    try:
        return on_bus(url_of("", file), lambda driver: driver.queues(), _PATIENCE)
    except (Failed, Error, ControlError):
        return []


def _journeys(file: str) -> Iterator[str]:
    """The journeys beside the fleet's file, by their text."""
    from skerry.journeys.find import FOLDER, names_below

    from .place import fleet_file

    try:
        yield from names_below(fleet_file(file).parent / FOLDER)
    except (Failed, OSError):
        return

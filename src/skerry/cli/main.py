"""The entry of ``skerry``: finds the verb, runs it, and says what went wrong in a sentence.

``SKERRY_DEBUG=1`` shows the traceback as well.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Sequence

from .output import Failed, nearest, note, paint
from .verbs import GROUPS, VERBS

# As shells say it: 128 and the number of the signal.
_INTERRUPTED = 130
_PIPE_CLOSED = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what a command line says; its exit status."""
    name, rest = _split(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Other people's text is shown: what this terminal cannot write is no reason to stop.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = _run(name, rest)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        return _deaf()
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else 1 if leave.code else 0
    except Exception as error:
        if os.environ.get("SKERRY_DEBUG"):
            raise
        return _complain(f"skerry {name}" if name in VERBS else "skerry", error)
    return status


def _split(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The verb, of one word or of two, and what comes after it."""
    if len(words) > 1 and words[0] in GROUPS and not words[1].startswith("-"):
        return f"{words[0]} {words[1]}", words[2:]
    return (words[0], words[1:]) if words else ("", ())


def _run(name: str, arguments: Sequence[str]) -> int:
    if name == "help" and arguments:
        name, arguments = " ".join(arguments), ["--help"]
    elif name == "--version":
        name = "version"
    if name in VERBS:
        return VERBS[name].run(name, arguments)
    if name in ("", "help", "-h", "--help"):
        print(_overview(VERBS, "VERB"))
        return 0 if name else 2
    group, _, verb = name.partition(" ")
    if group in GROUPS:
        return _group(group, verb, arguments)
    known = {known.partition(" ")[0] for known in VERBS}
    what = "option" if name.startswith("-") else "verb"
    raise Failed(
        f"there is no {what} {name!r}.{nearest(name, sorted(known))}\n"
        "  `skerry --help` lists all verbs",
        2,
    )


def _group(group: str, verb: str, arguments: Sequence[str]) -> int:
    """Say what there is in a group, asked for or not."""
    known = [name.partition(" ")[2] for name in VERBS if name.startswith(f"{group} ")]
    if verb:
        raise Failed(f"there is no verb 'skerry {group} {verb}'.{nearest(verb, known)}", 2)
    print(_overview([f"{group} {name}" for name in known], f"{group} VERB"))
    return 0 if arguments else 2


def _overview(names: Iterable[str], what: str) -> str:
    width = max(map(len, names)) + 2
    return "\n".join(
        [
            f"usage: skerry {what} …",
            "",
            *(f"  {name:{width}}{VERBS[name].summary}" for name in names),
            "",
            "`skerry VERB --help` says what a verb takes.",
        ]
    )


def _complain(who: str, error: Exception) -> int:
    """Say what went wrong, on stderr; the exit status."""
    if isinstance(error, Failed) or _on_purpose(error):
        text = str(error) or type(error).__name__
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    else:
        kind = type(error).__name__
        text = f"{kind}: {error}\n  this is a fault of Skerry's; SKERRY_DEBUG=1 shows where"
    try:
        note(paint(f"{who}: {text}", "red", sys.stderr))
    except OSError:
        pass  # nobody reads that either
    return error.status if isinstance(error, Failed) else 1


def _on_purpose(error: Exception) -> bool:
    """Whether Skerry raised it to say something. Asked by name: a module that is not loaded has
    raised nothing, and is not loaded for the question."""
    for module, name in (("skerry.core.errors", "Error"), ("skerry.fleet.client", "ControlError")):
        loaded = sys.modules.get(module)
        if loaded is not None and isinstance(error, getattr(loaded, name)):
            return True
    return False


def _deaf() -> int:
    """Whoever read our output has had enough; Python would complain of it on its way out."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return _PIPE_CLOSED


if __name__ == "__main__":
    sys.exit(main())

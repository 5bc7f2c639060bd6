"""The entry of ``skerry``: finds the verb, runs it, and says what went wrong in a sentence.

Before the verb may stand what is meant for every verb: ``-C DIR``, ``--file FILE``. ``--debug``,
anywhere, or ``SKERRY_DEBUG=1``, shows the traceback as well.
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

_GLOBAL = {
    "-C DIR": "do it as if the current folder were DIR",
    "--file FILE": "the fleet's file or its folder, for a verb that speaks of a fleet",
    "--debug": "show where an error comes from (or SKERRY_DEBUG=1)",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what a command line says; its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _have_streams()
    debug = _take(words, "--debug") or bool(os.environ.get("SKERRY_DEBUG"))
    name = ""
    try:
        file = _globals(words)
        name, rest = _split(words)
        status = _run(name, [*_for_verb(name, file), *rest])
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        return _deaf()
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else 1 if leave.code else 0
    except Exception as error:
        if debug:
            raise
        return _complain(f"skerry {name}" if name in VERBS else "skerry", error)
    return status


def _have_streams() -> None:
    """Standard streams that can be used, whatever the parent has closed; Python has None for such
    a stream, and the next file to be opened would get its number."""
    for number, stream in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, stream) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            setattr(sys, stream, os.fdopen(nowhere, "w" if number else "r"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Other people's text is shown: what this terminal cannot write is no reason to stop.
        sys.stdout.reconfigure(errors="backslashreplace")


def _take(words: list[str], switch: str) -> bool:
    """Take every ``switch`` out of the words before ``--``; whether there was one."""
    end = words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word != switch]
    words[:end] = kept
    return len(kept) < end


def _globals(words: list[str]) -> str:
    """Take what stands before the verb: go to the folder of ``-C``; the value of ``--file``."""
    file = ""
    while words and words[0].partition("=")[0] in ("-C", "--file"):
        name, sign, value = words.pop(0).partition("=")
        if not sign:
            value = words.pop(0) if words else ""
        if not value:
            raise Failed(f"{name} needs a value\n  `skerry --help` says which", 2)
        if name == "-C":
            os.chdir(value)
        else:
            file = value
    return file


def _for_verb(name: str, file: str) -> list[str]:
    """The ``--file`` that was given before the verb, as the verb takes it."""
    if not file or name not in VERBS:
        return []
    if not any("--file" in option.names for option in VERBS[name].options):
        raise Failed(f"it speaks of no fleet, and takes no --file\n  `skerry {name} --help`", 2)
    return ["--file", file]


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
        print(_overview(VERBS, "[OPTION …] VERB"))
        print(f"\nBefore any verb:\n\n{_columns(_GLOBAL)}")
        return 0 if name else 2
    group, _, verb = name.partition(" ")
    if group in GROUPS:
        return _group(group, verb, arguments)
    known = sorted({known.partition(" ")[0] for known in VERBS})
    what = "verb"
    if name.startswith("-"):
        what, known = "option", ["--help", "--version", *(one.split()[0] for one in _GLOBAL)]
    raise Failed(
        f"there is no {what} {name!r}.{nearest(name, known)}\n  `skerry --help` lists all there is",
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
    return (
        f"usage: skerry {what} …\n\n"
        f"{_columns({name: VERBS[name].summary for name in names})}\n\n"
        "`skerry VERB --help` says what a verb takes."
    )


def _columns(meanings: dict[str, str]) -> str:
    width = max(map(len, meanings)) + 2
    return "\n".join(f"  {name:{width}}{meaning}" for name, meaning in meanings.items())


def _complain(who: str, error: Exception) -> int:
    """Say what went wrong, on stderr; the exit status."""
    if isinstance(error, Failed) or _on_purpose(error):
        text = str(error) or type(error).__name__
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    else:
        kind = type(error).__name__
        text = f"{kind}: {error}\n  this is a fault of Skerry's; --debug shows where"
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

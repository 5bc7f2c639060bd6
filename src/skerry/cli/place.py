"""Which fleet a verb speaks of: the nearest one, or the one it was told."""

from __future__ import annotations

from pathlib import Path

from skerry.fleet.client import Control

from .output import fail


def fleet_file(chosen: str) -> Path:
    """The fleet file that ``--file`` names, or the nearest ``fleet.toml``."""
    if chosen:
        path = Path(chosen)
        if path.is_dir():
            path = path / "fleet.toml"
        if not path.is_file():
            fail(f"{chosen}: there is no such fleet file")
        # One name for one fleet. Not the file's own link: its folder is where the fleet lives.
        return path.parent.resolve() / path.name
    try:
        here = Path.cwd()
    except FileNotFoundError:
        fail("the current folder is there no longer; go to one that is, or name one: skerry -C DIR")
    for folder in (here, *here.parents):
        if (folder / "fleet.toml").is_file():
            return folder / "fleet.toml"
    return fail(
        f"there is no fleet.toml in {here} or above it. `skerry init` makes one of what is "
        "here, `skerry new fleet NAME` begins without one"
    )


def control(chosen: str) -> Control:
    """The control API of the fleet that runs there."""
    return Control(fleet_file(chosen).parent)

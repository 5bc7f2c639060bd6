"""Every verb: where it is done, what it takes, what it is for.

Tables, and nothing that costs time to import: ``skerry ps`` reads them too.
"""

from __future__ import annotations

from .options import Verb
from .verbs_bus import BUS
from .verbs_code import CODE
from .verbs_fleet import FLEET
from .verbs_observe import OBSERVE

VERBS: dict[str, Verb] = {**FLEET, **OBSERVE, **BUS, **CODE}

GROUPS = {
    "errors": "what is wrong in the fleet: where it was born, whom it hurts",
    "trace": "requests through all apps they came by",
    "bus": "events: what waits, what is dead, what passes by",
    "client": "typed clients of apps and of other people's APIs",
    "contract": "what an app promises",
    "journey": "acceptance tests across apps",
    "tables": "Skerry's own tables in an app's database: outbox, inbox, idempotency keys",
    "new": "the first files of a fleet, or of an app",
}

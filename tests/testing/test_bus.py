"""The suite of bus drivers finds what is wrong with one, in a repository that is not ours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

# Each driver is right but for one thing. No settings of pytest's, and none of pytest-asyncio's.
THEIRS = '''
import pytest
from skerry.bus.memory import Broker, Memory, MemoryDelivery
from skerry.testing import bus_tools
from skerry.testing.bus import Bus, Place

bus_tools.PATIENCE = 1.0  # nothing here is slow


class TestSound(Bus):
    driver_type = Memory

    @pytest.fixture
    def place(self):
        broker = Broker()
        return Place(lambda: self.driver_type(broker))


class TestForgetsAcks(TestSound):
    @pytest.fixture(autouse=True)
    def fault(self, monkeypatch):
        async def ack(delivery):
            delivery._held()
            delivery.drop()

        monkeypatch.setattr(MemoryDelivery, "ack", ack)


class TestDeliversAgainAfterAck(TestSound):
    @pytest.fixture(autouse=True)
    def fault(self, monkeypatch):
        sound = MemoryDelivery.ack

        async def ack(delivery):
            await sound(delivery)
            if delivery.attempt == 1:
                delivery._queue.entries.append(delivery._entry)
                delivery._queue.wake()

        monkeypatch.setattr(MemoryDelivery, "ack", ack)


class Unordered(Memory):
    """The first that is free, whatever holds up its key."""

    def _next(self, queue):
        now = self.broker.clock.now()
        free = (e for e in queue.entries if e.holder is None and e.due <= now)
        return next(free, None)


class TestBreaksOrder(TestSound):
    driver_type = Unordered


class Hasty(Memory):
    """Accepts all of a batch, and has the first of it."""

    async def publish(self, messages, *, delay=0.0):
        await super().publish([*messages][:1], delay=delay)


class TestLosesOfABatch(TestSound):
    driver_type = Hasty
'''

FOUND = {
    "ForgetsAcks": ["a_delivery_ends_once", "every_subscription_of_a_topic_is_given_its_messages"],
    "DeliversAgainAfterAck": ["instances_share_a_subscription", "many_publish_at_once"],
    "BreaksOrder": [
        "keys_are_handled_in_order_by_everybody_together",
        "one_of_a_key_is_out_at_a_time_and_holds_up_no_other_key",
        "a_message_to_be_retried_holds_up_its_key_only",
    ],
    "LosesOfABatch": ["batches_are_in_their_order", "a_message_arrives_as_it_was"],
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What became of the tests in ``FOUND``, by ``TestX::test_y``, for each and a sound driver."""
    file = tmp_path_factory.mktemp("theirs") / "test_theirs.py"
    file.write_text(THEIRS)
    chosen = [f"Test{kind}::test_{name}" for kind, names in FOUND.items() for name in names]
    sound = [f"TestSound::test_{name}" for names in FOUND.values() for name in names]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "--tb=native", "-p", "no:cacheprovider"]
        + [f"{file}::{name}" for name in [*chosen, *sound]],
        cwd=file.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = re.findall(r"^(PASSED|FAILED|ERROR) test_theirs\.py::(\S+)", ran.stdout, re.MULTILINE)
    assert {name for _, name in lines} == {*chosen, *sound}, ran.stdout + ran.stderr
    return {name: outcome for outcome, name in lines}


@pytest.mark.parametrize("kind", FOUND)
def test_a_broken_driver_fails_and_a_sound_one_does_not(
    outcomes: dict[str, str], kind: str
) -> None:
    for name in FOUND[kind]:
        assert outcomes[f"Test{kind}::test_{name}"] == "FAILED"
        assert outcomes[f"TestSound::test_{name}"] == "PASSED"


def test_without_pytest_it_says_what_to_install() -> None:
    source = "import sys; sys.modules['pytest'] = None; import skerry.testing.bus"
    ran = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=False
    )
    assert ran.stderr.splitlines()[-1] == (
        "ImportError: skerry.testing is for tests with pytest, and pytest is not installed: "
        "pip install 'skerry[testing]'"
    )


def test_who_forgets_the_place_is_told(tmp_path: Path) -> None:
    file = tmp_path / "test_theirs.py"
    file.write_text("from skerry.testing.bus import Bus\nclass TestMine(Bus): pass\n")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", str(file)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "a driver's test has a fixture `place`; see skerry.testing.bus" in ran.stdout

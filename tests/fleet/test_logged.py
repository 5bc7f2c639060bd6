"""What apps log in a fleet, and how the control API tells it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from skerry.fleet.client import Control, ControlError

QUOTES = """
    import logging
    from skerry import App

    app = App("quotes")
    log = logging.getLogger("rates")

    @app.get("/quotes")
    async def quote(pay_in: str) -> dict[str, str]:
        log.info("quoted", extra={"pay_in": pay_in, "token": "t"})
        if pay_in == "gold":
            raise ValueError("no rate of gold")
        print("printed")
        return {"rate": "1"}
"""

OWN = """
    import logging
    import sys
    from skerry import App

    form = "%(levelname)s in %(trace_id)s: %(message)s"
    logging.basicConfig(format=form, level=logging.DEBUG, stream=sys.stdout)
    app = App("own")
    log = logging.getLogger("mine")

    @app.get("/hello")
    async def hello() -> dict[str, str]:
        log.debug("hello")
        return {}
"""

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


async def asked(control: Control, name: str = "", **options: Any) -> list[dict[str, Any]]:
    """What the control API tells of the logs, by its own client, which blocks."""
    return await asyncio.to_thread(lambda: list(control.logs(name, **options)))


async def test_what_apps_log_is_told_by_trace_level_and_text(
    tree: Any, running: Any, http: Any, until: Any
) -> None:
    tree.add("quotes", source=QUOTES)
    tree.add("own", source=OWN)
    async with running() as supervisor:
        control = Control(tree.root)
        url = {row.seats[0].app: row.seats[0].url for row in supervisor.everything() if row.seats}
        for pay_in in ("krw", "gold"):
            await http(url["quotes"], f"/quotes?pay_in={pay_in}", traceparent=PARENT)
        await http(url["own"], "/hello", traceparent=PARENT)
        await http(url["quotes"], "/quotes?pay_in=usd")

        async def found() -> Any:
            return len(await asked(control, trace=TRACE)) >= 4 and await asked(control, trace=TRACE)

        first, second, failed, hello = await until(found)
        assert first["text"] == "quoted"
        assert (first["level"], first["logger"]) == ("info", "rates")
        assert first["fields"] == {"pay_in": "krw", "token": "[redacted]"}
        assert first["trace"] == second["trace"] == failed["trace"] == TRACE
        assert first["span"] == SPAN  # the caller's, while nobody records one below it
        assert failed["level"] == "error"
        assert failed["fields"]["exception"].endswith("ValueError: no rate of gold")
        assert hello == {
            "time": hello["time"],
            "source": "own-1",
            "text": f"DEBUG in {TRACE}: hello",
        }
        assert [line["text"] for line in await asked(control, "quotes", grep="PAY_IN=usd")]
        assert {line["level"] for line in await asked(control, "quotes", level="error")} == {
            "error"
        }
        printed = [line for line in await asked(control, "quotes") if line["text"] == "printed"]
        assert printed and set(printed[0]) == {"time", "source", "text"}
        for wrong in ({"trace": "gold"}, {"level": "loud"}):
            with pytest.raises(ControlError) as refused:
                await asked(control, **wrong)
            assert refused.value.status == 422


async def test_who_follows_a_trace_gets_its_lines_once(
    tree: Any, running: Any, http: Any, until: Any
) -> None:
    tree.add("quotes", source=QUOTES)
    async with running() as supervisor:
        control = Control(tree.root)
        url = next(one.seats[0].url for one in supervisor.everything() if one.name == "quotes-1")
        await http(url, "/quotes?pay_in=a", traceparent=PARENT)

        async def there() -> Any:
            return await asked(control, trace=TRACE)

        await until(there)
        following: Any = await asyncio.to_thread(
            lambda: control.logs(trace=TRACE, follow=True, grep="pay_in")
        )
        await http(url, "/quotes?pay_in=b")
        await http(url, "/quotes?pay_in=c", traceparent=PARENT)
        got = [await asyncio.to_thread(next, following) for _ in range(2)]
        assert [line["fields"]["pay_in"] for line in got] == ["a", "c"]
        await asyncio.to_thread(following.close)


async def test_what_a_process_said_last_is_told_in_words(tree: Any, running: Any) -> None:
    source = """
        import json, sys
        print(json.dumps({"level": "fatal", "msg": "no disk", "free": 0}))
        sys.exit(3)
    """
    tree.add("bad", 'command = "python3 main.py"', source="")
    tree.write("bad/main.py", source)
    async with running(crashes=1) as supervisor:
        (row,) = [one for one in supervisor.everything() if one.name == "bad-1"]
        assert row.last_words() == ["CRITICAL no disk free=0"]
        assert row.detail == "exited with status 3: CRITICAL no disk free=0"


async def test_the_environment_has_the_last_word(
    tree: Any, running: Any, monkeypatch: pytest.MonkeyPatch, until: Any
) -> None:
    source = "import logging; logging.getLogger('a').warning('low')\n" + "from skerry import App\n"
    tree.add("plain", 'env = { SKERRY_LOG_FORMAT = "text" }', source=source + "app = App('plain')")
    async with running():
        (line,) = [one for one in await asked(Control(tree.root), "plain") if "low" in one["text"]]
        assert line["text"].endswith("WARNING a: low")
        assert "level" not in line

"""Apps as other frameworks write them, found by themselves and really run."""

from __future__ import annotations

from typing import Any

import pytest

from skerry.fleet.loglines import Wanted
from skerry.fleet.logsearch import find
from skerry.fleet.status import fleet_status

WSGI = """
    def app(environ, start_response):
        start_response("200 OK", [("content-type", "text/plain")])
        return [b"wsgi"]
"""
FLASK = """
    from flask import Flask

    def create_app(test_config=None):
        app = Flask(__name__)
        app.add_url_rule("/", view_func=lambda: "flask")
        return app
"""
FASTAPI = """
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse

    def make_app(debug: bool = False) -> FastAPI:
        app = FastAPI(debug=debug)
        app.add_api_route("/", lambda: "fastapi", response_class=PlainTextResponse)
        return app
"""
DJANGO = """
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import HttpResponse
    from django.urls import path

    urlpatterns = [path("", lambda request: HttpResponse("django"))]
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x")
    application = get_asgi_application()
"""


@pytest.mark.parametrize(
    ("library", "file", "source"),
    [
        ("a2wsgi", "app.py", WSGI),
        ("flask", "flaskr/__init__.py", FLASK),
        ("fastapi", "main.py", FASTAPI),
        ("django", "mysite/asgi.py", DJANGO),
    ],
)
async def test_an_app_is_found_and_answers(
    tree: Any, running: Any, http: Any, library: str, file: str, source: str
) -> None:
    pytest.importorskip(library, reason=f"pip install {library}")
    tree.add("shop", source="")
    tree.write(f"shop/{file}", source)
    name = {"a2wsgi": "wsgi"}.get(library, library)
    async with running() as supervisor:
        answer = await http(supervisor.recipes.front_url(), "/shop/")
        assert (answer.status, answer.body.decode()) == (200, name)


LOGGING = {
    "flask": """
        from flask import Flask

        app = Flask(__name__)

        @app.get("/")
        def home():
            app.logger.warning("asked", extra={"n": 3})
            return "flask"
    """,
    "fastapi": """
        import logging
        from fastapi import FastAPI

        app = FastAPI()
        log = logging.getLogger("shop")

        @app.get("/")
        def home() -> str:
            log.warning("asked", extra={"n": 3})
            return "fastapi"
    """,
    "django": """
        import logging
        from django.conf import settings
        from django.core.asgi import get_asgi_application
        from django.http import HttpResponse
        from django.urls import path

        log = logging.getLogger("shop")

        def home(request):
            log.warning("asked", extra={"n": 3})
            return HttpResponse("django")

        urlpatterns = [path("", home)]
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x")
        app = get_asgi_application()
    """,
}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("library", LOGGING)
async def test_what_an_app_logs_is_in_the_trace_of_whoever_asks(
    tree: Any, running: Any, http: Any, until: Any, library: str
) -> None:
    pytest.importorskip(library, reason=f"pip install {library}")
    tree.add("shop", source="")
    tree.write("shop/app.py", LOGGING[library])
    async with running() as supervisor:
        parent = f"00-{TRACE}-00f067aa0ba902b7-01"
        answer = await http(supervisor.recipes.front_url(), "/shop/", traceparent=parent)
        assert answer.status == 200

        def found() -> Any:
            return find(supervisor.logs.folder, "shop-1".__eq__, 9, Wanted(trace=TRACE))

        (line,) = await until(found)
        assert (line.text, line.level, line.fields) == ("asked", "warning", {"n": 3})
        assert line.trace == TRACE and line.span


FAILING = {
    "flask": """
        from flask import Flask

        app = Flask(__name__)

        @app.get("/things/<int:n>")
        def thing(n):
            return {}[n]
    """,
    "fastapi": """
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/things/{n}")
        def thing(n: int):
            return {}[n]
    """,
    "django": """
        from django.conf import settings
        from django.core.asgi import get_asgi_application
        from django.urls import path

        def thing(request, n):
            return {}[n]

        urlpatterns = [path("things/<int:n>", thing)]
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x")
        app = get_asgi_application()
    """,
}


@pytest.mark.parametrize("library", FAILING)
async def test_what_an_app_raises_is_an_incident_with_its_stack(
    tree: Any, running: Any, http: Any, until: Any, library: str
) -> None:
    pytest.importorskip(library, reason=f"pip install {library}")
    tree.text = tree.text.replace("collector = false", "collector = true")
    tree.add("shop", source="")
    tree.write("shop/app.py", FAILING[library])
    async with running() as supervisor:
        collector = fleet_status(supervisor).collector
        answer = await http(supervisor.recipes.front_url(), "/shop/things/7")
        assert answer.status == 500

        async def told() -> Any:
            found = await http(collector, "/api/skerry/incidents")
            return [one for one in found.json() if one["kind"] == "exception"]

        (found,) = await until(told)
        incident = (await http(collector, f"/api/skerry/incidents/{found['id']}")).json()
        assert incident["service"] == "shop" and incident["type"] == "KeyError"
        assert incident["where"].endswith("app.py thing") and "n = 7" in incident["local"]
        assert "return {}[n]" in incident["stack"]


async def test_the_call_of_a_factory_can_be_said(tree: Any, running: Any, http: Any) -> None:
    pytest.importorskip("flask", reason="pip install flask")
    tree.add("shop", 'app = "web:create_app()"', "")
    tree.write("shop/web.py", FLASK)
    async with running() as supervisor:
        assert (await http(supervisor.recipes.front_url(), "/shop/")).body == b"flask"

"""Where an application object is, by looking at files and running none."""

from __future__ import annotations

from pathlib import Path

import pytest

from skerry.spec import NoApp, detect

MANAGE = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings.local')\n"


def put(root: Path, **files: str) -> Path:
    for name, text in files.items():
        file = root / (name.replace("__", "/").replace("INIT", "__init__") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "reference"),
    [
        ({"money_flow__app": "app = App()"}, "money_flow.app:app"),
        ({"money_flow__app": "app = 1", "app": "app = 1"}, "money_flow.app:app"),
        ({"money_flow__main": "api: FastAPI = FastAPI()"}, "money_flow.main:api"),
        ({"app": "from .web import create as application"}, "app:application"),
        ({"main": "async def app(scope, receive, send): ..."}, "main:app"),
        ({"app": "x = 1", "main": "try:\n    app = 1\nexcept E:\n    pass"}, "main:app"),
        ({"wsgi": "application = get_wsgi_application()"}, "wsgi:application"),
        ({"app__main": "app = FastAPI()"}, "app.main:app"),
        ({"manage": MANAGE, "mysite__asgi": "application = 1"}, "mysite.asgi:application"),
        ({"manage": MANAGE, "mysite__wsgi": "application = 1"}, "mysite.wsgi:application"),
        ({"app": "this is (not Python"}, "app:app"),  # it will say so itself
        ({"app": "def app(environ, start_response): ..."}, "app:app"),
        ({"app": "def app(x): ...", "main": "app = 1"}, "main:app"),
        ({"app": "def create_app(): ...", "wsgi": "app = create_app()"}, "wsgi:app"),
        ({"app": "def create_app(config=None, *, debug=False): ..."}, "app:create_app()"),
        ({"money_flow__INIT": "def create_app(): ..."}, "money_flow:create_app()"),
        ({"flaskr__INIT": "def create_app(test_config=None): ..."}, "flaskr:create_app()"),
        ({"shop__main": "app = 1", "tests__main": "app = 1"}, "shop.main:app"),
        ({"config__wsgi": "application = 1", "blog__views": "app = 1"}, "config.wsgi:application"),
        (
            {"manage": MANAGE.replace(".settings.local", ".conf.dev"), "mysite__wsgi": "app = 1"},
            "mysite.wsgi:app",
        ),
    ],
)
def test_finds_it(tmp_path: Path, files: dict[str, str], reference: str) -> None:
    assert detect("money-flow", put(tmp_path, **files)) == reference


def test_says_what_it_looked_at(tmp_path: Path) -> None:
    with pytest.raises(NoApp, match=r"there is no money_flow/app\.py, app\.py, .* say app ="):
        detect("money-flow", tmp_path)
    put(tmp_path, one__main="app = 1", two__app="app = 1", three__app="def create_app(x): ...")
    with pytest.raises(NoApp, match=r"^one\.main:app, two\.app:app could each be it; say app ="):
        detect("money-flow", tmp_path)
    put(tmp_path, one__main="", two__app="")
    put(tmp_path, main="raise SystemExit('never run')")
    with pytest.raises(NoApp, match=r"main\.py there has no variable called app"):
        detect("money-flow", tmp_path)

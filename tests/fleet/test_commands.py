"""Commands as people write them for containers and Procfiles, and what becomes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.fleet.commands import adapt, application_of, serves, shell_text
from skerry.fleet.dockerfile import read_dockerfile


@pytest.mark.parametrize(
    ("written", "adapted"),
    [
        (
            "uvicorn main:app --host 0.0.0.0 --port 8000",
            "uvicorn main:app --host 127.0.0.1 --port $PORT",
        ),
        ("uvicorn main:app --port=8000 --reload", "uvicorn main:app --port=$PORT --reload"),
        ("uvicorn main:app", "uvicorn main:app --port $PORT"),
        ("flask run -p 5000", "flask run -p $PORT"),
        ("flask --app web run --host=0.0.0.0", "flask --app web run --host=127.0.0.1 --port $PORT"),
        ("python manage.py runserver 0.0.0.0:8000", "python manage.py runserver 127.0.0.1:$PORT"),
        ("python manage.py runserver 8000", "python manage.py runserver $PORT"),
        ("python manage.py runserver", "python manage.py runserver 127.0.0.1:$PORT"),
        ("gunicorn -b 0.0.0.0:8000 -w 4 x.wsgi", "gunicorn -b 127.0.0.1:$PORT -w 4 x.wsgi"),
        ("gunicorn --bind=:8000 x.wsgi", "gunicorn --bind=:$PORT x.wsgi"),
        ("gunicorn -w 4 x.wsgi", "gunicorn -w 4 x.wsgi --bind 127.0.0.1:$PORT"),
        ("hypercorn --bind '[::]:8000' x:app", "hypercorn --bind 127.0.0.1:$PORT x:app"),
        ("bundle exec puma -p 3000", "bundle exec puma -p $PORT"),
        ("bundle exec puma -b tcp://0.0.0.0:3000", "bundle exec puma -b tcp://127.0.0.1:$PORT"),
        ("bundle exec puma -C config/puma.rb", "bundle exec puma -C config/puma.rb -p $PORT"),
        ("rails s -p3000 -b 0.0.0.0", "rails s -p$PORT -b 127.0.0.1"),
        ("rackup", "rackup -p $PORT"),
        ("fastapi run app/main.py --port 80", "fastapi run app/main.py --port $PORT"),
        ("python -m http.server 8000", "python -m http.server $PORT"),
        ("waitress-serve web:app", "waitress-serve --listen=127.0.0.1:$PORT web:app"),
        ("streamlit run a.py --server.port=8501", "streamlit run a.py --server.port=$PORT"),
        ("php -S 0.0.0.0:8000 -t public", "php -S 127.0.0.1:$PORT -t public"),
        ("PORT=3000 node server.js", "PORT=$PORT node server.js"),
        ("alembic upgrade head && uvicorn a:b", "alembic upgrade head && uvicorn a:b --port $PORT"),
        (
            "./wait db:5432; waitress-serve a:b",
            "./wait db:5432; waitress-serve --listen=127.0.0.1:$PORT a:b",
        ),
        (
            "gunicorn -k uvicorn.workers.UvicornWorker 'web:create_app()' --log-file -",
            "gunicorn -k uvicorn.workers.UvicornWorker 'web:create_app()' --log-file - "
            "--bind 127.0.0.1:$PORT",
        ),
        (
            "newrelic-admin run-program gunicorn --config gunicorn.py web.wsgi --timeout 30",
            "newrelic-admin run-program gunicorn --config gunicorn.py web.wsgi --timeout 30 "
            "--bind 127.0.0.1:$PORT",
        ),
        (
            "uvicorn --factory web:make --host=0.0.0.0 --port ${PORT:-5000} --workers 2",
            "uvicorn --factory web:make --host=127.0.0.1 --port ${PORT:-5000} --workers 2",
        ),
        (
            "python -m uvicorn web:app --app-dir src --proxy-headers",
            "python -m uvicorn web:app --app-dir src --proxy-headers --port $PORT",
        ),
        ("uvicorn a:b --port ${PORT:-8000}", "uvicorn a:b --port ${PORT:-8000}"),
    ],
)
def test_a_server_is_told_its_port(written: str, adapted: str) -> None:
    command = adapt(written)
    assert command.text == adapted
    assert command.told
    assert not command.worker
    assert serves(command.text)


@pytest.mark.parametrize(
    "written",
    [
        "celery -A shop worker -l info",
        "rq worker high default",
        "python manage.py qcluster",
        "bundle exec sidekiq -C config/sidekiq.yml",
        "bundle exec rake jobs:work",
        "dramatiq shop.tasks",
    ],
)
def test_a_worker_serves_nothing(written: str) -> None:
    command = adapt(written)
    assert command.worker
    assert command.text == written


def test_what_is_not_known_is_left_alone() -> None:
    command = adapt("node server.js --max-old-space-size=4096")
    assert command.text == "node server.js --max-old-space-size=4096"
    assert not command.told
    assert not command.worker


def test_the_port_that_a_container_exposes_is_known_anywhere() -> None:
    assert adapt("./serve -addr :9000", ports=[9000]).text == "./serve -addr :$PORT"
    assert adapt("gunicorn -w 4 --timeout 8000 x:y", ports=[9]).text.startswith(
        "gunicorn -w 4 --timeout 8000"
    )


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["uvicorn", "a:b", "--port", 80], "uvicorn a:b --port 80"),
        (["sh", "-c", "migrate && exec serve"], "migrate && exec serve"),
        (["echo", "a b"], "echo 'a b'"),
        (" plain text ", "plain text"),
        (None, ""),
    ],
)
def test_exec_and_shell_forms(command: object, text: str) -> None:
    assert shell_text(command) == text


@given(st.text(), st.lists(st.integers(0, 70000), max_size=3))
def test_any_command_survives(text: str, ports: list[int]) -> None:
    adapted = adapt(text, ports)
    assert adapt(adapted.text, ports).text == adapted.text


DOCKERFILE = """\
# syntax=docker/dockerfile:1
FROM python:3.12 AS base
WORKDIR /srv
ENV FLASK_APP=web PORT=5000 \\
    # a comment in between
    GREETING="hello you"
ENV OLD old form
FROM base AS dev
CMD flask run --debug
FROM base
WORKDIR app
EXPOSE $PORT 9090/tcp
ENTRYPOINT ["./entry.sh"]
CMD ["flask", "run", "--port", "5000"]
"""


def test_the_last_stage_says_how_an_image_starts() -> None:
    image = read_dockerfile(DOCKERFILE)
    assert image.start == "./entry.sh flask run --port 5000"
    assert image.folder == "/srv/app"
    assert image.ports == [5000, 9090]
    assert image.env == {
        "FLASK_APP": "web",
        "PORT": "5000",
        "GREETING": "hello you",
        "OLD": "old form",
    }


def test_a_stage_can_be_asked_for() -> None:
    image = read_dockerfile(DOCKERFILE, "dev")
    assert image.start == "flask run --debug"
    assert image.folder == "/srv"


@given(st.text() | st.lists(st.sampled_from(DOCKERFILE.splitlines())).map("\n".join))
def test_any_dockerfile_survives(text: str) -> None:
    read_dockerfile(text)


@pytest.mark.parametrize(
    ("command", "application"),
    [
        ("uvicorn main:app --host 127.0.0.1 --port $PORT", "main:app"),
        ("python -m uvicorn shop.main:app --port $PORT --reload", "shop.main:app"),
        ("python3.12 -m hypercorn --bind 127.0.0.1:$PORT x:app", "x:app"),
        ("/venv/bin/uvicorn shop:create_app --factory --port $PORT", "shop:create_app()"),
        ("gunicorn 'web:create_app()' -b 127.0.0.1:$PORT", "web:create_app()"),
        ("gunicorn -k uvicorn.workers.UvicornWorker main:app -b :$PORT", "main:app"),
        ("gunicorn -w 4 shop.wsgi --bind 127.0.0.1:$PORT", "shop.wsgi:application"),
        ("granian --interface asgi main:app --port $PORT", "main:app"),
        ("uvicorn main:app --app-dir src --port $PORT", ""),  # of another folder
        ("gunicorn --chdir src main:app -b :$PORT", ""),
        ("alembic upgrade head && uvicorn main:app --port $PORT", ""),
        ("uvicorn main:app other:app", ""),
        ("uvicorn $APP --port $PORT", ""),
        ("uvicorn 'main:app", ""),
        ("flask --app app run --port $PORT", ""),
        ("python worker.py", ""),
        ("opentelemetry-instrument uvicorn main:app", ""),
        ("", ""),
    ],
)
def test_the_application_that_a_command_serves(command: str, application: str) -> None:
    assert application_of(command) == application


@given(st.text())
def test_any_text_can_be_asked_for_its_application(text: str) -> None:
    application_of(text)

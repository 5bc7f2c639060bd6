"""What people are told, and that they are."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from skerry.observe.alerts import Alert, Broken
from skerry.observe.notify import Notifier, mail, subject, text, webhook
from skerry.observe.watch import Channels

NOW = 1_700_000_000.0


def alert(**fields: Any) -> Alert:
    given: dict[str, Any] = {
        "id": "ledger-1700000000",
        "app": "ledger",
        "owner": "ledger@example.com",
        "severity": "page",
        "since": NOW,
        "causes": [Broken("ledger", "PUT /events", "availability")],
        "victims": [Broken("payments", "", "availability"), Broken("portal", "", "latency")],
        "incidents": ["abc123"],
    }
    return Alert(**(given | fields))


def test_one_line() -> None:
    assert subject(alert()) == "page: ledger breaks what it has promised, and 2 that need it"
    assert subject(alert(victims=[], causes=[])) == "page: ledger makes others break their promises"
    assert subject(alert(until=NOW + 9)) == "resolved: ledger"


def test_all_of_it() -> None:
    assert text(alert(until=NOW + 60), "http://console/#/alerts") == (
        "resolved: ledger\n\n"
        "since    2023-11-14T22:13:20Z\n"
        "until    2023-11-14T22:14:20Z\n"
        "breaks   ledger PUT /events: availability\n"
        "hurts    payments as a whole: availability\n"
        "         portal as a whole: latency\n"
        "look at  skerry errors show abc123\n"
        "         http://console/#/alerts\n"
    )


def test_as_alertmanager_says_it() -> None:
    body = webhook(alert(), "http://console")
    assert body["version"] == "4" and body["status"] == "firing"
    (one,) = body["alerts"]
    assert one["labels"]["app"] == "ledger" and one["labels"]["severity"] == "page"
    assert one["startsAt"] == "2023-11-14T22:13:20Z"
    assert one["endsAt"] == "0001-01-01T00:00:00Z"
    assert webhook(alert(until=NOW + 60), "")["alerts"][0]["endsAt"] == "2023-11-14T22:14:20Z"


def test_an_end_answers_its_beginning() -> None:
    began = mail(alert(), "skerry@x", "l@x", "")
    ended = mail(alert(until=NOW + 1), "skerry@x", "l@x", "")
    assert ended["In-Reply-To"] == began["Message-ID"] != ended["Message-ID"]


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def hook(failures: int = 0) -> Iterator[tuple[str, list[Any]]]:
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(503 if len(got) <= failures else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"http://127.0.0.1:{port}/", got


@contextmanager
def mailbox() -> Iterator[tuple[str, list[str]]]:
    """A mail server that takes everything."""
    got: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                word = line[:4].upper()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = iter(self.rfile.readline, b".\r\n")
                    got.append(b"".join(lines).decode())
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")
                if word == b"QUIT":
                    return

    with serving(socketserver.TCPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"smtp://127.0.0.1:{port}", got


def test_the_owner_is_told_by_mail_and_everybody_by_webhook() -> None:
    with hook(failures=2) as (url, posts), mailbox() as (smtp, mails):
        waits: list[float] = []
        notifier = Notifier(lambda _: "http://console", waits.append)
        notifier.tell(alert(), Channels(url, smtp, "skerry@example.com"))
        notifier.close(20)
        assert [post["status"] for post in posts] == ["firing"] * 3
        assert waits == [0.0, 1.0, 5.0, 0.0]
        (letter,) = mails
        assert "To: ledger@example.com" in letter and "skerry errors show abc123" in letter
        assert (notifier.sent, notifier.failed) == (2, 0)


def test_an_owner_may_be_a_webhook() -> None:
    with hook() as (url, posts):
        notifier = Notifier(lambda _: "", lambda _: None)
        notifier.tell(alert(owner=url), Channels(webhook=url))
        notifier.close(20)
        assert len(posts) == 1


def test_what_cannot_be_told_is_counted() -> None:
    notifier = Notifier(lambda _: "", lambda _: None)
    notifier.tell(alert(owner="http://127.0.0.1:1/"), Channels())
    notifier.close(20)
    assert (notifier.sent, notifier.failed) == (0, 1)

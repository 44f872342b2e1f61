"""Delivery for real: a local SMTP server with TLS, a local HTTP receiver that checks signatures, the command between them."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import psycopg
import pytest
from aiosmtpd.controller import Controller
from psycopg import sql

from crewpay_sync.database import Target
from crewpay_sync.tenants import ensure_enterprise, ensure_login, ensure_standard_logins, stable_id

SECRET = "between-us"


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mailbox:
    """Takes mail, unless the address is unknown; answers "try later" as often as told."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.later = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("unknown"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        assert server.transport.get_extra_info("ssl_object") is not None, "only over TLS"
        if self.later:
            self.later -= 1
            return "451 try later"
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@dataclass
class Receiver:
    """What the webhook took, by idempotency key; what it answers next."""

    answers: list[int] = field(default_factory=list)
    taken: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: int = 0
    url: str = ""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-new", "-x509", "-days", "1", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, cert


@pytest.fixture(params=["starttls", "implicit"])
def smtp(request: pytest.FixtureRequest, certificate: tuple[Path, Path]) -> Iterator[tuple[str, Mailbox]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    box = Mailbox()
    implicit = request.param == "implicit"
    server = Controller(
        box, hostname="127.0.0.1", port=free_port(),
        **({"ssl_context": context} if implicit else {"tls_context": context, "require_starttls": True}),
    )  # fmt: skip
    server.start()
    yield f"{'smtps' if implicit else 'smtp'}://localhost:{server.port}", box
    server.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            moment = self.headers["X-CrewPay-Timestamp"]
            wanted = hmac.new(SECRET.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
            if self.headers["X-CrewPay-Signature"] != f"sha256={wanted}":
                state.refused += 1
                code = 401
            else:
                code = state.answers.pop(0) if state.answers else 202
            if code == 202:
                state.taken[self.headers["Idempotency-Key"]] = json.loads(body)
            self.send_response(code)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/crewpay"
    Thread(target=server.serve_forever, daemon=True).start()
    yield state
    server.shutdown()


@dataclass
class Airline:
    """An enterprise with one crew member, and how to act in it."""

    target: Target
    conn: psycopg.Connection[Any]
    enterprise: UUID
    slug: str
    login: str

    def as_(self, login: str, statement: str, *values: Any) -> Any:
        self.conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(login)))
        try:
            row = self.conn.execute(statement, values).fetchone()  # type: ignore[call-overload]
            return row[0] if row else None
        finally:
            self.conn.execute("reset session authorization")

    def announce(self, title: str, message: str = "All of it.") -> None:
        self.as_(f"{self.slug}_admin", "select notify.announce(%s, %s)", title, message)

    def outbox(self) -> list[tuple[str, str, int]]:
        found = self.conn.execute(
            "select n.title, d.state::text, d.attempts from notify.deliveries d join notify.notifications n"
            " on n.enterprise_id = d.enterprise_id and n.id = d.notification_id where d.enterprise_id = %s order by n.created_at, n.title",
            (self.enterprise,),
        )
        return found.fetchall()

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "crewpay_sync", "notify", "run", "--once", "--json"],
            env={**os.environ, "DATABASE_URL": self.target.conninfo, "DIRECT_URL": "", **environment},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def retry_now(self) -> None:
        self.conn.execute("update notify.deliveries set due_at = now() where state = 'WAITING'")


@pytest.fixture
def airline(database: Target) -> Iterator[Airline]:
    slug = f"n{os.getpid()}"
    with closing(database.connect(autocommit=True)) as conn:
        conn.execute(
            "insert into crew.airports (iata, icao, name, time_zone, country) values ('BUR', 'KBUR', 'Burbank', 'America/Los_Angeles', 'US') on conflict do nothing"
        )
        enterprise = ensure_enterprise(conn, slug, "Notified Air")
        ensure_standard_logins(conn, enterprise, slug)
        crew = stable_id("crew", slug)
        conn.execute(
            "insert into crew.crew_members (enterprise_id, id, employee_id, first_name, last_name, position, base_location, hire_date, seniority_number, base_hourly_rate)"
            " values (%s, %s, 'E1', 'Ada', 'One', 'CAPTAIN', 'BUR', '2020-01-01', 1, 100) on conflict do nothing",
            (enterprise, crew),
        )
        login = ensure_login(conn, f"{slug}_e1", enterprise, "crew", crew_member=crew)
        made = Airline(database, conn, enterprise, slug, login)
        conn.execute("delete from notify.deliveries where enterprise_id = %s", (enterprise,))
        yield made


def test_mail(airline: Airline, smtp: tuple[str, Mailbox], certificate: tuple[Path, Path]) -> None:
    url, box = smtp
    given = {
        "CREWPAY_SMTP_URL": url,
        "CREWPAY_SMTP_FROM": "pay@example.org",
        "CREWPAY_SMTP_CA": str(certificate[1]),
    }
    airline.as_(airline.login, "select notify.set_contact('EMAIL', 'ada@example.org')")
    airline.as_(airline.login, "select notify.set_preferences('{EMAIL}')")
    airline.announce("Grüße: <b>1</b>\r\nBcc: all@example.org", "Line one.\n.\nLine <three>.")
    box.later = 1
    done = airline.run(**given)
    assert (done.returncode, json.loads(done.stdout)["data"]) == (5, {"WAITING": 1}), done.stderr
    airline.retry_now()
    done = airline.run(**given)
    assert (done.returncode, json.loads(done.stdout)["data"]) == (0, {"SENT": 1}), done.stderr
    assert json.loads(airline.run(**given).stdout)["data"] == {}
    (mail,) = box.mails
    assert mail["To"] == "ada@example.org"
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Grüße: <b>1</b> Bcc: all@example.org"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == ["Line one.", ".", "Line <three>."]
    sent = airline.conn.execute(
        "select n.id, n.sent_at is not null, d.receipt from notify.notifications n join notify.deliveries d"
        " on d.enterprise_id = n.enterprise_id and d.notification_id = n.id where n.enterprise_id = %s",
        (airline.enterprise,),
    ).fetchone()
    assert sent
    assert sent[1]
    assert mail["Message-ID"] == sent[2] == f"<{sent[0]}@example.org>"

    # An address that doesn't exist is not tried again; one that was removed neither.
    airline.as_(airline.login, "select notify.set_contact('EMAIL', 'unknown@example.org')")
    airline.announce("Second")
    assert json.loads(airline.run(**given).stdout)["data"] == {"FAILED": 1}
    airline.announce("Third")
    airline.as_(airline.login, "select notify.set_contact('EMAIL', null)")
    assert json.loads(airline.run(**given).stdout)["data"] == {"FAILED": 1}
    assert len(box.mails) == 1


def test_no_mail_in_the_clear_or_to_a_stranger(airline: Airline, certificate: tuple[Path, Path]) -> None:
    airline.as_(airline.login, "select notify.set_contact('EMAIL', 'ada@example.org')")
    airline.announce("Secret")
    box = Mailbox()
    plain = Controller(box, hostname="127.0.0.1", port=free_port())
    plain.start()
    done = airline.run(CREWPAY_SMTP_URL=f"smtp://localhost:{plain.port}", CREWPAY_SMTP_CA=str(certificate[1]))
    assert json.loads(done.stdout)["data"] == {"WAITING": 1}
    plain.stop()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    stranger = Controller(box, hostname="127.0.0.1", port=free_port(), ssl_context=context)
    stranger.start()
    airline.retry_now()
    done = airline.run(CREWPAY_SMTP_URL=f"smtps://localhost:{stranger.port}")
    assert json.loads(done.stdout)["data"] == {"WAITING": 1}
    stranger.stop()
    assert box.mails == []


def test_webhook(airline: Airline, receiver: Receiver) -> None:
    given = {"CREWPAY_WEBHOOK_URL": receiver.url, "CREWPAY_WEBHOOK_SECRET": SECRET}
    airline.as_(airline.login, "select notify.set_contact('EMAIL', null)")
    airline.as_(airline.login, "select notify.set_contact('SMS', '+12125550123')")
    airline.as_(airline.login, "select notify.set_contact('APP_PUSH', 'device-1')")
    airline.as_(airline.login, "select notify.set_preferences('{SMS,APP_PUSH}')")
    airline.announce("Hello", "é")
    receiver.answers = [503, 202]
    assert json.loads(airline.run(**given).stdout)["data"] == {"WAITING": 1, "SENT": 1}
    airline.retry_now()
    assert json.loads(airline.run(**given).stdout)["data"] == {"SENT": 1}
    bodies = sorted(receiver.taken.values(), key=lambda body: body["channel"])
    assert [(b["channel"], b["to"], b["title"], b["message"]) for b in bodies] == [
        ("APP_PUSH", "device-1", "Hello", "é"), ("SMS", "+12125550123", "Hello", "é"),
    ]  # fmt: skip
    assert set(receiver.taken) == {b["id"] for b in bodies}

    # What the receiver calls wrong is not tried again; a wrong secret shows at once.
    airline.announce("Again")
    receiver.answers = [400, 400]
    assert json.loads(airline.run(**given).stdout)["data"] == {"FAILED": 2}
    airline.announce("More")
    assert json.loads(airline.run(**{**given, "CREWPAY_WEBHOOK_SECRET": "other"}).stdout)["data"] == {
        "FAILED": 2
    }
    assert receiver.refused == 2
    assert len(receiver.taken) == 2


def test_two_workers_send_everything_once(airline: Airline, receiver: Receiver) -> None:
    airline.as_(airline.login, "select notify.set_contact('SMS', '+12125550123')")
    airline.as_(airline.login, "select notify.set_preferences('{SMS}')")
    for number in range(120):
        airline.announce(f"Message {number}")
    given = {"CREWPAY_WEBHOOK_URL": receiver.url, "CREWPAY_WEBHOOK_SECRET": SECRET}
    environment = {**os.environ, "DATABASE_URL": airline.target.conninfo, "DIRECT_URL": "", **given}
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "crewpay_sync", "notify", "run", "--once", "--json"],
            env=environment, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    sent = [json.loads(worker.communicate(timeout=60)[0])["data"].get("SENT", 0) for worker in workers]
    assert sum(sent) == 120
    assert len(receiver.taken) == 120
    assert {state for _, state, _ in airline.outbox()} == {"SENT"}


def test_nothing_configured(airline: Airline) -> None:
    done = airline.run()
    assert done.returncode == 3
    assert "CP911" in done.stderr
    done = airline.run(CREWPAY_SMTP_URL="http://user:secret@host")
    assert done.returncode == 3
    assert "secret" not in done.stdout + done.stderr

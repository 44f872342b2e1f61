"""Channels: e-mail by SMTP with TLS, SMS and push by one signed webhook. Each either returns a receipt or raises."""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit
from uuid import UUID

from crewpay_sync.output import CONNECTION, CrewPayError
from crewpay_sync.settings import Settings

TIMEOUT = 20.0  # seconds


@dataclass(frozen=True)
class Delivery:
    """One message to one address. The key is the notification's id: a receiver tells repeats by it."""

    key: UUID
    method: str
    address: str
    title: str
    message: str


class DeliveryError(Exception):
    """It was not delivered; `for_good` when trying again is no use."""

    def __init__(self, message: str, *, for_good: bool) -> None:
        super().__init__(message)
        self.for_good = for_good


class Channel(Protocol):
    def send(self, delivery: Delivery) -> str:
        """Delivers and returns what the receiver answered; DeliveryError otherwise."""


class Email:
    """SMTP, never in the clear: TLS from the start (smtps) or STARTTLS before anything else (smtp)."""

    def __init__(self, url: str, sender: str, ca: Path | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise CrewPayError(
                "CP911", "CREWPAY_SMTP_URL is not valid", exit_code=CONNECTION,
                hint="Write smtps://user:password@host:465 or smtp://user:password@host:587.",
            )  # fmt: skip
        self.host = parts.hostname
        self.implicit = parts.scheme == "smtps"
        self.port = parts.port or (465 if self.implicit else 587)
        self.user = unquote(parts.username or "")
        self.password = unquote(parts.password or "")
        self.sender = sender
        self.tls = ssl.create_default_context(cafile=str(ca) if ca else None)

    def _connect(self) -> smtplib.SMTP:
        if self.implicit:
            return smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT, context=self.tls)
        server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT)
        server.starttls(context=self.tls)  # raises where the server offers none
        return server

    def send(self, delivery: Delivery) -> str:
        mail = EmailMessage()
        mail["From"] = self.sender
        mail["To"] = delivery.address
        mail["Subject"] = " ".join(delivery.title.split())
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{delivery.key}@{self.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(delivery.message)
        try:
            with self._connect() as server:
                if self.user:
                    server.login(self.user, self.password)
                server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            code, answer = next(iter(error.recipients.values()))
            raise DeliveryError(
                f"{code} {answer.decode(errors='replace')}", for_good=500 <= code < 600
            ) from None
        except smtplib.SMTPDataError as error:
            raise DeliveryError(
                f"{error.smtp_code} {error.smtp_error!r}", for_good=error.smtp_code >= 500
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryError(f"{type(error).__name__}: {error}", for_good=False) from None
        return str(mail["Message-ID"])


class Webhook:
    """HTTP POST of JSON to one address. Headers: Idempotency-Key, and a signature over time and body (HMAC-SHA256)."""

    def __init__(self, url: str, secret: str) -> None:
        if urlsplit(url).scheme not in {"http", "https"} or not secret:
            raise CrewPayError(
                "CP911", "CREWPAY_WEBHOOK_URL or CREWPAY_WEBHOOK_SECRET is not valid", exit_code=CONNECTION,
                hint="Give an https:// address and a secret that the receiver knows.",
            )  # fmt: skip
        self.url = url
        self.secret = secret.encode()

    def signature(self, moment: str, body: bytes) -> str:
        """What the receiver computes too: sha256 of "time.body" under the secret."""
        return hmac.new(self.secret, moment.encode() + b"." + body, hashlib.sha256).hexdigest()

    def send(self, delivery: Delivery) -> str:
        body = json.dumps(
            {
                "id": str(delivery.key),
                "channel": delivery.method,
                "to": delivery.address,
                "title": delivery.title,
                "message": delivery.message,
            },
            ensure_ascii=False,
        ).encode()
        moment = str(int(time.time()))
        request = urllib.request.Request(  # noqa: S310 (the scheme was checked)
            self.url,
            data=body,
            method="POST",
            headers={
                "Content-Type": "application/json",
                "Idempotency-Key": str(delivery.key),
                "X-CrewPay-Timestamp": moment,
                "X-CrewPay-Signature": f"sha256={self.signature(moment, body)}",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                return f"{answer.status} {answer.read(200).decode(errors='replace')}".strip()
        except urllib.error.HTTPError as error:
            # Too early, too many and timed out will pass; any other 4xx says that the message is wrong.
            passing = error.code >= 500 or error.code in {408, 425, 429}
            raise DeliveryError(f"HTTP {error.code} {error.reason}", for_good=not passing) from None
        except (OSError, ValueError) as error:
            raise DeliveryError(f"{type(error).__name__}: {error}", for_good=False) from None


def configured(given: Settings) -> dict[str, Channel]:
    """Channels that the settings know, by delivery method."""
    channels: dict[str, Channel] = {}
    if given.crewpay_smtp_url:
        channels["EMAIL"] = Email(
            given.crewpay_smtp_url.get_secret_value(), given.crewpay_smtp_from, given.crewpay_smtp_ca
        )
    if given.crewpay_webhook_url:
        secret = given.crewpay_webhook_secret.get_secret_value() if given.crewpay_webhook_secret else ""
        channels["SMS"] = channels["APP_PUSH"] = Webhook(given.crewpay_webhook_url.get_secret_value(), secret)
    return channels

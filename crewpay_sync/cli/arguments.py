"""What many commands take: months, days, periods, amounts, an enterprise, a login to act as."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

import click

from crewpay_sync.statements import Row

enterprise_option = click.option(
    "--enterprise", metavar="SLUG", help="Enterprise.  [default: the only one there is]"
)
login_option = click.option("--as", "role", metavar="WHO", help="Act as the enterprise's login <slug>_WHO.")


@dataclass(frozen=True)
class When:
    """What a PERIOD on the command line means: a whole month, or the period around one day."""

    day: date
    whole_month: bool

    def covers(self, period: Row) -> bool:
        if self.whole_month:
            return bool(period["month"] == self.day)
        return bool(period["start_date"] <= self.day <= period["end_date"])

    def __str__(self) -> str:
        return f"{self.day:%Y-%m}" if self.whole_month else self.day.isoformat()


def parse_when(text: str) -> When:
    """2013-01 is a month, 2013-01-16 a day."""
    for pattern, whole_month in (("%Y-%m", True), ("%Y-%m-%d", False)):
        try:
            return When(datetime.strptime(text, pattern).date(), whole_month)
        except ValueError:
            continue
    raise click.BadParameter(f"{text!r} is neither a month (2013-01) nor a day (2013-01-16)")


@dataclass(frozen=True)
class Span:
    """What PERIOD means where several may be named: all periods from one month or day to another."""

    first: When
    last: When

    def covers(self, period: Row) -> bool:
        month = period["month"] or period["contract_month"]
        return bool(
            (month if self.first.whole_month else period["end_date"]) >= self.first.day
            and (month if self.last.whole_month else period["start_date"]) <= self.last.day
        )

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}..{self.last}"


def parse_periods(text: str) -> Span:
    """2013-01, 2013-01-16, or from one to another: 2013-01..2013-12."""
    first, dots, last = text.partition("..")
    span = Span(parse_when(first), parse_when(last if dots else first))
    if span.last.day < span.first.day:
        raise click.BadParameter(f"{text!r} ends before it begins")
    return span


def parse_month(text: str) -> When:
    """2013-01; a statement is of a month, with all its periods."""
    when = parse_when(text)
    if not when.whole_month:
        raise click.BadParameter(f"{text!r} is a day: give the month, {when.day:%Y-%m}")
    return when


def parse_amount(text: str) -> Decimal:
    """12.34, or -12.34: what is taken back."""
    try:
        return Decimal(text)
    except InvalidOperation:
        raise click.BadParameter(f"{text!r} is not an amount: write 12.34 or -12.34") from None

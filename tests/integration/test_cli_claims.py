"""`crewpay claims` and `crewpay review`, run as people run them: every command once, and what a clerk gets wrong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from crewpay_sync.database import Target
from crewpay_sync.tenants import ensure_login
from tests.review_month import Month, small_month
from tests.tenants import crewpay

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def month(database: Target) -> Iterator[Month]:
    """January, paid but for $1 of fa's per diem, $2 of fo's, and the night premium of cap's XP5."""
    with small_month(database, "cliclaims") as made:
        for who in ("cap", "fa", "fo"):
            ensure_login(
                made.conn, made.login(who), made.airline.id, "crew", crew_member=made.airline.crew[who]
            )
        made.call("admin", "select platform.put_config('review.claims', '{\"claim_days\": 10000}')")
        made.pay()
        made.payment("fa", "per_diem", amount=9)
        made.payment("fo", "per_diem", delta=-2)
        made.payment("cap", "premium", "XP5", amount=0)
        yield made
        made.conn.execute("delete from auth.principals where enterprise_id = %s", (made.airline.id,))
        for who in ("cap", "fa", "fo"):
            made.conn.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(made.login(who))))


@pytest.fixture(scope="module")
def run(month: Month, database: Target) -> Command:
    def call(*args: object) -> subprocess.CompletedProcess[str]:
        return crewpay(database, month.airline, *map(str, args))

    return call


def data(done: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)["data"]


def submit(run: Command, who: str, amount: object, kind: str, *more: object) -> str:
    made = data(run("claims", "submit", who, "2013-01", amount, "--type", kind, "--text", "It is short.", *more, "--json"))  # fmt: skip
    return str(made[0]["claim"])


def test_from_submission_to_payment_and_to_all_who_are_affected(run: Command, month: Month) -> None:
    number = submit(run, "fa", 1, "PER_DIEM", "--key", "desk-1")
    assert submit(run, "fa", "1.00", "PER_DIEM", "--key", "desk-1") == number
    listed = data(run("claims", "list", "--json"))
    assert [(c["claim"], c["status"], c["claimed"]) for c in listed] == [(number, "SUBMITTED", "1.00")]
    stub = data(
        run("claims", "evidence", number, "--title", "call", "--text", "He called about it.", "--json")
    )
    assert stub[0]["added_by"] == month.login("payroll")
    reviewed = data(run("claims", "review", number, "--json"))
    assert (reviewed[0]["recommendation"], reviewed[0]["supported"]) == ("APPROVE", "1.00")
    decided = data(
        run("claims", "decide", number.lower(), "approve", "--reason", "Last year's rate.", "--json")
    )
    assert (decided[0]["status"], decided[0]["payment"]) == ("APPROVED", "PROCESSING")
    found = data(run("claims", "dossier", number, "--json"))
    assert found["claim"]["approved_amount"] == 1
    assert run("claims", "dossier", number).stdout.isascii()

    nobody = run("claims", "remedy", number, "--json")
    assert (data(nobody), nobody.stderr != "") == ([], True)
    assert run("review", "detect", "2013-01").returncode == 1
    shown = data(run("claims", "remedy", number, "--json"))
    assert [(r["employee_id"], r["amount"]) for r in shown] == [("fo", "2.00")]
    made = data(run("claims", "remedy", number, "--apply", "the same rate", "--json"))
    assert [(c["claimed"], c["status"]) for c in made] == [("2.00", "SUBMITTED")]
    assert data(run("claims", "remedy", number, "--json")) == []


def test_in_part_appealed_released_and_paid(run: Command, month: Month, tmp_path: Path) -> None:
    """Above the limit: asked for by payroll, released by the administrator, then booked."""
    month.call("admin", "select platform.put_config('pay.adjustment_limit', '50')")
    number = submit(run, "cap", 90, "MISSING_PREMIUM", "--flight", "XP5 2013-01-20", "--as", "cap")
    photo = tmp_path / "stub.png"
    photo.write_bytes(b"\x89PNG")
    added = data(run("claims", "evidence", number, "--title", "stub", "--text", "See it.", "--file", photo, "--as", "cap", "--json"))  # fmt: skip
    assert (added[0]["media_type"], added[0]["bytes"]) == ("image/png", 4)
    shown = run("claims", "review", number).stdout
    assert shown.index("APPROVE") < shown.index("NIGHT") < shown.index("90.00 claimed")
    lines = json.loads(run("claims", "review", number, "--json").stdout)["lines"]
    assert [(x["line"], x["component"], x["supported"]) for x in lines] == [(1, "premium", "90.00")]
    part = data(run("claims", "decide", number, "PARTIAL_APPROVE", "--line", "1=45.50", "--json"))
    assert (part[0]["approved"], part[0]["payment"]) == ("45.50", "PROCESSING")
    appealed = data(
        run("claims", "appeal", number, "--reason", "All of it was night.", "--as", "cap", "--json")
    )
    assert appealed[0]["status"] == "APPEALED"
    assert run("claims", "decide", number, "APPROVE").returncode == 4, "who decided it first"
    whole = data(run("claims", "decide", number, "APPROVE", "--as", "admin", "--json"))
    assert (whole[0]["approved"], whole[0]["payment"]) == ("90.00", "PENDING")
    assert "CP312" in run("claims", "pay", number).stderr
    assert run("claims", "release", number, "--ask", "as decided").returncode == 0
    assert "CP310" in run("claims", "release", number, "--approve").stderr
    third = data(run("claims", "list", "--json"))
    assert number in [c["claim"] for c in third]


def test_above_the_limit_an_administrator_releases(run: Command, month: Month) -> None:
    """Nobody has to say as whom: who asks is payroll, who releases isn't."""
    month.call("admin", "select platform.put_config('pay.adjustment_limit', '50')")
    number = submit(run, "fa", 60, "GUARANTEE")
    assert run("claims", "review", number).returncode == 0
    decided = data(run("claims", "decide", number, "PARTIAL_APPROVE", "--line", "1=55", "--json"))
    assert decided[0]["payment"] == "PENDING"
    assert data(run("claims", "release", number, "--ask", "as decided", "--json"))[0]["state"] == "PENDING"
    assert "CP310" in run("claims", "release", number, "--approve", "--as", "payroll").stderr
    assert data(run("claims", "release", number, "--approve", "--json"))[0]["state"] == "APPROVED"
    assert data(run("claims", "pay", number, "--json"))[0]["payment"] == "PROCESSING"


def test_checks_as_they_are_in_force(run: Command, month: Month) -> None:
    month.call("admin", "select platform.put_config('review.check.overpayment', '{\"enabled\": false, \"min_amount\": 5, \"severity\": \"HIGH\"}')")  # fmt: skip
    found = {c["check"]: c for c in data(run("review", "checks", "--json", "--as", "agent"))}
    assert len(found) == len(month.rows("select from review.checks"))
    assert (found["overpayment"]["enabled"], found["overpayment"]["min_amount"], found["overpayment"]["severity"]) == (False, "5", "HIGH")  # fmt: skip
    assert (found["underpayment"]["enabled"], found["underpayment"]["severity"]) == (True, "LOW")
    assert found["invalid_input"]["others"] == {"late_hours": 24, "max_block_hours": 20}
    month.call("admin", "select platform.put_config('review.check.overpayment', 'null')")
    assert "underpayment" in run("review", "checks").stdout


def test_withdrawn_by_the_claimant_alone(run: Command) -> None:
    number = submit(run, "fo", 5, "OVERTIME")
    assert "CP404" in run("claims", "withdraw", number, "--reason", "not mine", "--as", "cap").stderr
    assert "42501" in run("claims", "withdraw", number, "--reason", "not mine", "--as", "payroll").stderr
    assert data(run("claims", "withdraw", number, "--reason", "found it", "--as", "fo", "--json"))[0]["status"] == "WITHDRAWN"  # fmt: skip


def test_the_calendar_is_fed_once(run: Command) -> None:
    first = data(run("claims", "calendar", "--country", "us", "--years", 2, "--json"))
    assert first["added"] == first["holidays"] > 15
    assert data(run("claims", "calendar", "--years", 2, "--json"))["added"] == 0


SUBMIT = ["claims", "submit"]
TAIL = ["--type", "OTHER", "--text", "x"]
BAD: list[tuple[str, list[object], int, str]] = [
    ("unknown crew member", [*SUBMIT, "nobody", "2013-01", 1, *TAIL], 4, "CP106"),
    ("no number", [*SUBMIT, "fa", "2013-01", "ten", *TAIL], 2, ""),
    ("nothing", [*SUBMIT, "fa", "2013-01", 0, *TAIL], 4, "CP109"),
    ("below zero", [*SUBMIT, "--", "fa", "2013-01", "-5"], 2, ""),
    ("not a number", [*SUBMIT, "fa", "2013-01", "NaN", *TAIL], 4, "CP109"),
    ("endless", [*SUBMIT, "fa", "2013-01", "1e400", *TAIL], 4, "CP109"),
    ("parts of a cent", [*SUBMIT, "fa", "2013-01", "1.001", *TAIL], 4, "CP109"),
    ("a month that isn't one", [*SUBMIT, "fa", "January", 1, *TAIL], 2, ""),
    ("a period that isn't there", [*SUBMIT, "fa", "2031-01", 1, *TAIL], 4, "CP214"),
    ("somebody else's flight", [*SUBMIT, "fa", "2013-01", 1, *TAIL, "--flight", "XP5 2013-01-20"], 4, "CP403"),
    ("no such type", [*SUBMIT, "fa", "2013-01", 1, "--type", "HUNGER", "--text", "x"], 2, ""),
    ("10,000 characters", [*SUBMIT, "fa", "2013-01", 1, "--type", "OTHER", "--text", "x" * 10_000], 4, "CP109"),
    ("no such claim", ["claims", "review", "CLM-2000-0001"], 4, "CP404"),
    ("no claim number at all", ["claims", "review", "'; drop table review.claims; --"], 4, "CP404"),
    ("line without amount", ["claims", "decide", "CLM-2000-0001", "PARTIAL_APPROVE", "--line", "1"], 2, ""),
    ("no such decision", ["claims", "decide", "CLM-2000-0001", "MAYBE"], 2, ""),
    ("neither asked nor approved", ["claims", "release", "CLM-2000-0001"], 2, ""),
    ("no such country", ["claims", "calendar", "--country", "ZZ"], 2, ""),
    ("no such login", ["claims", "list", "--as", "ghost"], 4, "CP912"),
    ("no such discrepancy", ["review", "resolve", 99999, "--reason", "x"], 4, "CP402"),
    ("no reason", ["review", "resolve", 99999, "--reason", "  "], 4, ""),
    ("no month", ["review", "detect", "2013-13"], 2, ""),
    ("no such period", ["review", "detect", "2031-01"], 4, "CP214"),
    ("unknown crew", ["review", "detect", "2013-01", "--crew", "nobody"], 4, "CP106"),
    ("no file", ["review", "variance", "nowhere.csv"], 2, ""),
    ("neither file nor import", ["review", "variance"], 2, ""),
    ("no key", ["review", "variance", "--batch", "seven"], 2, ""),
    ("no such import", ["review", "variance", "--batch", "00000000-0000-0000-0000-000000000001"], 4, "CP113"),
    ("no tolerance", ["review", "variance", "--batch", "00000000-0000-0000-0000-000000000001", "--tolerance", "much"], 2, ""),
]  # fmt: skip


@pytest.mark.parametrize(("what", "args", "exit_code", "code"), BAD, ids=[b[0] for b in BAD])
def test_bad_input_says_what_to_do(
    what: str, args: list[object], exit_code: int, code: str, run: Command
) -> None:
    done = run(*args)
    assert done.returncode == exit_code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert code in done.stderr
    if exit_code == 4:
        assert "HINT" in done.stderr, done.stderr

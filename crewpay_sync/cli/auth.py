"""`crewpay auth`: pools, tokens and signing keys. For operators: nobody else may make tokens."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click
import psycopg
from psycopg import sql

from crewpay_sync.database import connect
from crewpay_sync.output import USAGE, CrewPayError, json_option, print_json, print_table, say
from crewpay_sync.statements import Statements
from crewpay_sync.tenants import GROUP_OF, Role

POOLED: tuple[Role, ...] = ("crew", "payroll", "admin", "service_role")

rows = Statements("auth").rows


def open_database() -> psycopg.Connection[Any]:
    """An operator's connection."""
    return connect(direct=True, autocommit=True)


def enterprise_of(conn: psycopg.Connection[Any], slug: str | None) -> UUID:
    """Key of the enterprise asked for; without one, of the only one there is. CP920 otherwise."""
    known = {row["slug"]: row["id"] for row in rows(conn, "enterprises")}
    if slug is None and len(known) == 1:
        return UUID(str(next(iter(known.values()))))
    if slug not in known:
        raise CrewPayError(
            "CP920", f"there is no enterprise {slug}" if slug else "which enterprise?",
            detail=f"There are: {', '.join(known) or 'none'}.", hint="Say which: --enterprise SLUG",
            exit_code=USAGE,
        )  # fmt: skip
    return UUID(str(known[slug]))


def subject(
    conn: psycopg.Connection[Any], enterprise: UUID, employee: str | None, email: str | None
) -> UUID | None:
    """Key of the crew member or user; null for a service. CP302 when there is none."""
    if employee and email:
        raise click.UsageError("--employee and --user exclude each other")
    if not employee and not email:
        return None
    found = (
        rows(conn, "crew_member", {"enterprise": enterprise, "employee": employee})
        if employee
        else rows(conn, "user", {"enterprise": enterprise, "email": email})
    )
    if not found:
        raise CrewPayError(
            "CP302", f"no {'crew member' if employee else 'user'} {employee or email} in this enterprise",
            hint="Give an employee number (--employee) or an e-mail address (--user).",
        )  # fmt: skip
    return UUID(str(found[0]["id"]))


@click.group()
def auth() -> None:
    """Tokens for pooled applications: make, revoke, rotate keys, see who may log in."""


@auth.command()
@click.argument("login")
@click.option("--role", type=click.Choice(POOLED), required=True, help="The role that its tokens carry.")
@json_option
def pool(login: str, role: Role, as_json: bool) -> None:
    """Make LOGIN the login of a connection pool, and the database role when it is missing.

    The login is nobody by itself: each transaction begins with a token. It has no password until you give it one.
    """
    with closing(open_database()) as conn, conn.transaction():
        if not rows(conn, "role_exists", {"login": login})[0]["found"]:
            conn.execute(
                sql.SQL("create role {} login in role {}").format(
                    sql.Identifier(login), sql.Identifier(GROUP_OF[role])
                )
            )
            say(f'made the login {login}; give it a password with: \\password "{login}"')
        made = rows(conn, "create_pool", {"login": login, "role": role})
    print_table(made, as_json=as_json)


@auth.command()
@click.argument("login")
@click.option("--enterprise", metavar="SLUG", help="Enterprise.  [default: the only one there is]")
@click.option("--employee", metavar="NUMBER", help="Crew member the token is for.")
@click.option("--user", "email", metavar="EMAIL", help="User the token is for.")
@click.option("--minutes", type=int, help="How long it lives.  [default: security.token_max_minutes]")
@json_option
def token(
    login: str, enterprise: str | None, employee: str | None, email: str | None, minutes: int | None, as_json: bool
) -> None:  # fmt: skip
    """Print a token for the pool LOGIN, on stdout and nowhere else.

    Whoever has it acts as that person until it expires: hand it on as a parameter (select auth.login($1)), never in
    the text of a statement.
    """
    with closing(open_database()) as conn:
        key = enterprise_of(conn, enterprise)
        uid = subject(conn, key, employee, email)
        values = {"login": login, "enterprise": key, "uid": uid, "minutes": minutes}
        made = str(rows(conn, "mint", values)[0]["token"])
    if as_json:
        _, _, jti, *_, expires, _ = made.split("|")
        print_json({"token": made, "jti": jti, "expires_at": datetime.fromtimestamp(int(expires), UTC)})
    else:
        click.echo(made)


@auth.command()
@click.argument("jti", type=click.UUID)
@json_option
def revoke(jti: UUID, as_json: bool) -> None:
    """Refuse the token with the number JTI (its third field) from now on."""
    with closing(open_database()) as conn:
        rows(conn, "revoke", {"jti": jti})
    if as_json:
        print_json({"revoked": jti})
    else:
        click.echo(f"revoked: {jti}")


@auth.command()
@click.option(
    "--revoke-old",
    is_flag=True,
    help="Refuse everything signed so far: a key leaked, or the database is a copy.",
)
@json_option
def rotate(revoke_old: bool, as_json: bool) -> None:
    """Make a new signing key. Tokens of the one before it stay good; keys before that are erased."""
    with closing(open_database()) as conn:
        rows(conn, "rotate", {"revoke_old": revoke_old})
        print_table(rows(conn, "keys"), as_json=as_json)


@auth.command()
@click.option("--enterprise", metavar="SLUG", help="Only this enterprise.")
@json_option
def principals(enterprise: str | None, as_json: bool) -> None:
    """List who may act as what: logins with their people, and pools."""
    with closing(open_database()) as conn:
        found = rows(conn, "principals", {"slug": enterprise})
    print_table(found, as_json=as_json)


@auth.command()
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many, newest first."
)
@json_option
def events(limit: int, as_json: bool) -> None:
    """List refused logins, revoked tokens, rotated keys and new pools, newest first."""
    with closing(open_database()) as conn:
        rows(conn, "collect")
        found = rows(conn, "events", {"limit": limit})
    print_table(found, as_json=as_json)

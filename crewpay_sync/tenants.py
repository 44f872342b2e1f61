"""Tenants: enterprises, the database logins of their people, and acting as one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from crewpay_sync.output import CrewPayError
from crewpay_sync.statements import query

Role = Literal["crew", "admin", "payroll", "service_role", "bi", "sync"]

GROUP_OF: dict[Role, str] = {
    "crew": "crewpay_crew",
    "admin": "crewpay_admin",
    "payroll": "crewpay_payroll",
    "service_role": "crewpay_service",
    "bi": "crewpay_bi",
    "sync": "crewpay_sync",
}
# The logins that every enterprise gets: suffix, role, name for people.
STANDARD_LOGINS: tuple[tuple[str, Role, str], ...] = (
    ("admin", "admin", "Administrator"),
    ("payroll", "payroll", "Payroll clerk"),
    ("bi", "bi", "Analyst"),
    ("agent", "service_role", "AI agent"),
)


def stable_id(*parts: object) -> UUID:
    """The same UUID for the same words, everywhere: what makes a repeated import change nothing."""
    return uuid5(NAMESPACE_URL, "crewpay:" + "|".join(map(str, parts)))


def login_name(slug: str, suffix: str) -> str:
    """The database login of a person of an enterprise, e.g. mq_payroll or mq_11001."""
    return f"{slug}_{suffix}".lower().replace("-", "_")


def ensure_enterprise(conn: psycopg.Connection[Any], slug: str, name: str) -> UUID:
    """The enterprise of that slug, made when missing."""
    conn.execute(query("tenants", "enterprise"), (stable_id("enterprise", slug), slug, name))
    return enterprise_id(conn, slug)


def enterprise_id(conn: psycopg.Connection[Any], slug: str) -> UUID:
    """The key of an enterprise; CP920 when there is none of that slug."""
    row = conn.execute(query("tenants", "enterprise_id"), (slug,)).fetchone()
    if row is None:
        raise CrewPayError(
            "CP920", f"there is no enterprise {slug}", hint="Make it first, as docs/import.md says."
        )
    found: UUID = row["id"] if isinstance(row, dict) else row[0]
    return found


def _ensure_role(conn: psycopg.Connection[Any], login: str, group: str) -> None:
    """The database role: may log in, has no password, belongs to exactly one group."""
    with conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        state = cursor.execute(query("tenants", "role_state"), (login,)).fetchone()
    if state is None:
        try:
            with conn.transaction():
                conn.execute(
                    sql.SQL("create role {} login in role {}").format(
                        sql.Identifier(login), sql.Identifier(group)
                    )
                )
        except psycopg.errors.DuplicateObject:  # somebody else was faster
            pass
        return
    if state["rolsuper"] or set(state["groups"]) - {group}:
        raise CrewPayError(
            "CP921",
            f"the login {login} exists and is not a plain {group}",
            detail=f"It belongs to: {', '.join(state['groups']) or 'nothing'}.",
            hint="A login has one role. Choose another enterprise slug, or drop the login.",
        )
    if not state["groups"]:
        conn.execute(sql.SQL("grant {} to {}").format(sql.Identifier(group), sql.Identifier(login)))


def ensure_login(
    conn: psycopg.Connection[Any],
    login: str,
    enterprise: UUID,
    role: Role,
    *,
    crew_member: UUID | None = None,
    user: UUID | None = None,
) -> str:
    """The database login and its principal: one login, one role, one person or service."""
    person = None
    if crew_member or user:
        name, key = ("person_of_crew", crew_member) if crew_member else ("person_of_user", user)
        with conn.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
            row = cursor.execute(query("tenants", name), (enterprise, key)).fetchone()
        person = row[0] if row else None
    _ensure_role(conn, login, GROUP_OF[role])
    conn.execute(query("tenants", "principal"), (login, enterprise, role, person, crew_member, user))
    return login


def ensure_standard_logins(conn: psycopg.Connection[Any], enterprise: UUID, slug: str) -> list[str]:
    """`<slug>_admin`, `_payroll`, `_bi` and `_agent`, each a different person."""
    logins = []
    for suffix, role, title in STANDARD_LOGINS:
        login = login_name(slug, suffix)
        user = stable_id("user", slug, suffix)
        conn.execute(
            query("tenants", "user"),
            (
                enterprise,
                user,
                f"{suffix}@{slug}.example",
                f"{title} of {slug}",
                stable_id("person", slug, suffix),
            ),
        )
        logins.append(ensure_login(conn, login, enterprise, role, user=user))
    return logins


@contextmanager
def act_as(conn: psycopg.Connection[Any], enterprise_slug: str, role: str) -> Iterator[str]:
    """Within the block the session is the tenant's principal `<slug>_<role>` (yields the login in force).

    A login that is itself a principal of the enterprise stays what it is. A superuser takes the session
    authorization of the tenant's login; anyone else is refused (CP922). Leaving the block gives it back; after
    an error inside a transaction the rollback does.
    """
    with conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        session = cursor.execute(query("tenants", "session"), (enterprise_slug,)).fetchone()
    if session is None:
        raise AssertionError("a session has a user")
    if session["is_principal"]:
        yield session["login"]
        return
    if not session["superuser"]:
        raise CrewPayError(
            "CP922",
            f"the login {session['login']} belongs to no principal of {enterprise_slug}",
            hint=f"Connect as {login_name(enterprise_slug, role)}, or as a superuser.",
        )
    suffix = next((s for s, r, _ in STANDARD_LOGINS if r == role), role)
    login = login_name(enterprise_slug, suffix)
    try:
        conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(login)))
    except psycopg.errors.InvalidParameterValue as error:
        raise CrewPayError(
            "CP912", f"there is no login {login}", hint="Logins of an enterprise: crewpay auth principals"
        ) from error
    try:
        yield login
    finally:
        if conn.info.transaction_status != TransactionStatus.INERROR:
            conn.execute("reset session authorization")
        else:
            try:
                conn.rollback()
                conn.execute("reset session authorization")
            except psycopg.ProgrammingError:
                pass  # inside a transaction block: its rollback gives the session back

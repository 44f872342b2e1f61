"""`crewpay psql`: psql on the configured database, as the operator or as one of its logins."""

from __future__ import annotations

import os
import shutil
from contextlib import closing

import click
from psycopg import sql

from crewpay_sync.database import Target, direct_target
from crewpay_sync.output import CONNECTION, REFUSED, CrewPayError


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--as", "principal", metavar="LOGIN", help="Act as this login: its rights and its rows.")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def psql(principal: str | None, args: tuple[str, ...]) -> None:
    """Open psql on the database; ARGS go to psql.

    With --as the session is that login's (set session authorization), so that row-level security and the identity
    functions answer as they would for it. The operator needs to be a superuser for that.
    """
    if not shutil.which("psql"):
        raise CrewPayError(
            "CP905", "psql is missing", hint="Install postgresql-client-15.", exit_code=CONNECTION
        )
    target = direct_target()
    conninfo, environment = target.for_programs()
    environment.setdefault("PGAPPNAME", "crewpay psql")
    if principal is not None:
        if any(arg == "--no-psqlrc" or (arg[:1] == "-" and arg[1:2] != "-" and "X" in arg) for arg in args):
            raise click.UsageError(
                "--as does not go together with -X (the identity is set by a start-up file)"
            )
        _check_login(target, principal)
        environment["PSQLRC"] = _start_file(principal)
    os.execvpe("psql", ["psql", "-d", conninfo, *args], environment)  # noqa: S606


def _start_file(login: str) -> str:
    """A psqlrc that exists only for the psql started from here: an anonymous file handed over by descriptor."""
    identity = sql.Literal(login).as_string(None)
    text = (
        "\\set QUIET 1\n"
        f"set session authorization {sql.Identifier(login).as_string(None)};\n"
        f"select session_user <> {identity} as crewpay_refused \\gset\n"
        "\\if :crewpay_refused\n\\warn 'identity was not changed: closing'\n\\! kill $PPID\n\\endif\n"
        "\\unset crewpay_refused\n\\set PROMPT1 '%n@%/%R%# '\n\\unset QUIET\n"
    )
    descriptor = os.memfd_create("crewpay-psqlrc", 0)
    os.write(descriptor, text.encode())
    os.set_inheritable(descriptor, True)
    return f"/proc/self/fd/{descriptor}"


def _check_login(target: Target, login: str) -> None:
    with closing(target.connect(autocommit=True)) as conn:
        known = [
            row[0]
            for row in conn.execute(
                "select rolname from pg_roles where rolcanlogin and not rolsuper order by rolname"
            ).fetchall()
        ]
        row = conn.execute("select rolsuper from pg_roles where rolname = session_user").fetchone()
    if login not in known:
        some = ", ".join(known[:8]) + (f" and {len(known) - 8} more" if len(known) > 8 else "")
        raise CrewPayError(
            "CP912",
            f"no login named {login}",
            detail=f"Logins: {some or 'none yet'}.",
            hint="Take one of them; superusers can't be acted for.",
            exit_code=REFUSED,
        )
    if not (row and row[0]):
        raise CrewPayError("CP912", "only a superuser can act as another login", exit_code=REFUSED)

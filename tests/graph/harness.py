"""What tests and benchmarks of the rule graph work with: a real Neo4j, an airline beside it, daemons that can be killed, a bad network."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString, cast
from uuid import UUID

import neo4j
import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from pydantic import SecretStr

from crewpay_sync.database import Target
from crewpay_sync.settings import settings
from crewpay_sync.sync.graph import GraphTarget
from crewpay_sync.tenants import ensure_login

ROOT = Path(__file__).resolve().parents[2]
SYNC_PASSWORD = secrets.token_hex(16)
# How long what must come is waited for: a busy machine is no failure.
PATIENCE = float(os.environ.get("CREWPAY_TEST_PATIENCE", "120"))
Rows = list[dict[str, Any]]


def eventually(what: Callable[[], Any], seconds: float = PATIENCE, why: str = "") -> Any:
    """Asks again until the answer is true; what it was."""
    until = time.monotonic() + seconds
    while True:
        answer = what()
        if answer:
            return answer
        if time.monotonic() > until:
            raise AssertionError(
                f"not within {seconds} s: {why or getattr(what, '__name__', what)} ({answer!r})"
            )
        time.sleep(0.02)


# ---- Neo4j ------------------------------------------------------------------------------------------------------------


class Server:
    """A private Neo4j server, run as .dev/neo4j runs it."""

    def __init__(self, name: str = "test") -> None:
        home = settings().crewpay_neo4j_home or settings().crewpay_home / "neo4j"
        self.name = name
        self.folder = home / name

    def command(self, action: str) -> None:
        done = subprocess.run(
            [ROOT / ".dev" / "neo4j", action, self.name],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr

    @property
    def running(self) -> bool:
        try:
            return _alive(self.pid)
        except OSError:
            return False

    def start(self) -> None:
        self.command("start")

    def stop(self) -> None:
        self.command("stop")

    @property
    def pid(self) -> int:
        return int((self.folder / "run" / "pid").read_text())

    def kill(self) -> None:
        """kill -9, and gone."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        eventually(
            lambda: not Path(f"/proc/{pid}/fd").exists() or not _alive(pid), 120, "the killed server is gone"
        )

    @contextmanager
    def configured(self, *lines: str) -> Iterator[None]:
        """Starts within the block have these lines in their configuration as well."""
        extra = self.folder / "extra.conf"
        extra.write_text("\n".join(lines) + "\n")
        try:
            yield
        finally:
            extra.unlink()

    def put_back(self, backup: Path) -> None:
        """The data of a backup in place of those there are; the server is down."""
        data = self.folder / "data"
        owner = data.stat()
        shutil.rmtree(data)
        shutil.copytree(backup, data)
        for path in (data, *data.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)

    @property
    def target(self) -> GraphTarget:
        uri = (self.folder / "uri").read_text().strip()
        return GraphTarget(uri, "neo4j", SecretStr((self.folder / "password").read_text().strip()))

    @property
    def port(self) -> int:
        return int(self.target.uri.rsplit(":", 1)[1])

    @contextmanager
    def driver(self) -> Iterator[neo4j.Driver]:
        """A curator's connection."""
        target = self.target
        with neo4j.GraphDatabase.driver(
            target.uri,
            auth=(target.user, target.password.get_secret_value()),
            notifications_min_severity="OFF",
        ) as made:
            made.verify_connectivity()
            yield made


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wipe(driver: neo4j.Driver) -> None:
    with driver.session() as session:
        session.run("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS").consume()


def cypher(driver: neo4j.Driver, text: str, **values: Any) -> Rows:
    """Rows of a statement, as a curator types it."""
    # Without bookmarks: a server that was put back to a backup doesn't reach them.
    records, _, _ = driver.execute_query(cast(LiteralString, text), bookmark_manager_=None, **values)
    return [dict(r) for r in records]


# ---- Postgres ---------------------------------------------------------------------------------------------------------


@dataclass
class Airline:
    """One test's airline: the operator's connection, the sync login's target, and Neo4j."""

    target: Target
    conn: psycopg.Connection[Any]
    driver: neo4j.Driver
    neo4j: GraphTarget
    folder: Path
    enterprise: UUID
    login: str
    daemons: list[Daemon] = field(default_factory=list)

    def rows(self, statement: str, *values: Any) -> Rows:
        with self.conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(cast(LiteralString, statement), values).fetchall()

    def one(self, statement: str, *values: Any) -> Any:
        row = self.conn.execute(cast(LiteralString, statement), values).fetchone()
        assert row is not None
        return row[0]

    def do(self, statement: str, *values: Any) -> None:
        self.conn.execute(cast(LiteralString, statement), values)

    def cypher(self, text: str, **values: Any) -> Rows:
        return cypher(self.driver, text, e=str(self.enterprise), **values)

    def sync_target(self, host: str = "127.0.0.1", port: int | None = None) -> Target:
        """How a daemon connects: by TCP, with a password, as a login of role sync."""
        given = self.target.as_dict()
        return Target(
            tuple(
                sorted(
                    {
                        "dbname": given["dbname"],
                        "host": host,
                        "port": str(port or given["port"]),
                        "user": self.login,
                        "password": SYNC_PASSWORD,
                        "sslmode": "require",
                    }.items()
                )
            )
        )

    def environment(
        self, failpoint: str = "", database: Target | None = None, uri: str | None = None, **more: str
    ) -> dict[str, str]:
        target = database or self.sync_target()
        return {
            **os.environ,
            "DATABASE_URL": "",
            "DIRECT_URL": target.conninfo,
            "NEO4J_URI": uri or self.neo4j.uri,
            "NEO4J_USER": self.neo4j.user,
            "NEO4J_PASSWORD": self.neo4j.password.get_secret_value(),
            "CREWPAY_GRAPH_EXPORTS": str(self.folder / "exports"),
            "CREWPAY_FAILPOINT": failpoint,
            **more,
        }

    def daemon(
        self, failpoint: str = "", *, ready: bool = True, settled: bool = True, **more: Any
    ) -> Daemon:
        """A daemon; unless `ready` is false it leads, and unless `settled` is false it has compared both sides: from then on it
        doesn't repair what it lost."""
        made = Daemon(self.environment(failpoint, **more), self.folder / f"daemon{len(self.daemons)}.log")
        self.daemons.append(made)
        if ready:
            made.saw("leading with epoch")
            if settled:
                made.saw("both sides compared")
        return made

    def crewpay(self, *args: str, code: int | None = 0, **more: str) -> subprocess.CompletedProcess[str]:
        """The crewpay command, as the sync login runs it."""
        done = subprocess.run(
            [sys.executable, "-m", "crewpay_sync", *args],
            env=self.environment(**more),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert code is None or done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done

    # ---- What must hold once it is quiet ---------------------------------------------------------------------------

    def queue_depth(self) -> int:
        return int(self.one("select count(*) from graph.outbox where enterprise_id = %s", self.enterprise))

    def wanted(self) -> dict[str, Any]:
        """What Postgres says, from its tables and not by the functions that the daemon uses."""
        rules = {
            r["code"]: (r["title"], r["priority"], r["applies_to"], r["text"])
            for r in self.rows(
                """
                select distinct on (term_code) term_code as code, term_title as title, priority, term_text as text,
                  array_to_string(applies_to, ',') as applies_to
                from rules.union_contract_terms where enterprise_id = %s and superseded_at is null
                order by term_code, effective_date desc""",
                self.enterprise,
            )
        }
        regulations = {
            r["rule_code"]: r["rule_title"]
            for r in self.rows(
                "select rule_code, rule_title from rules.faa_rules where superseded_at is null"
            )
        }
        interpretations = {
            str(r["id"]): (r["confidence_score"], sorted(r["codes"]))
            for r in self.rows(
                """
                select i.id, i.confidence_score, array(
                  select distinct t.term_code::text from rules.interpretation_contract_terms j
                  join rules.union_contract_terms t on t.id = j.contract_term_id where j.interpretation_id = i.id
                    and exists (select from rules.union_contract_terms k where k.enterprise_id = t.enterprise_id
                      and k.term_code = t.term_code and k.superseded_at is null)
                  union
                  select r.rule_code from rules.interpretation_faa_rules j
                  join rules.faa_rules r on r.id = j.faa_rule_id where j.interpretation_id = i.id) as codes
                from rules.rule_interpretations i where i.enterprise_id = %s""",
                self.enterprise,
            )
        }
        curated = {
            (r["kind"], r["a"], r["b"])
            for r in self.rows(
                """
                with g as (select max(generation) as n from graph.generations where enterprise_id = %(e)s and accepted_at is not null)
                select 'SCENARIO' as kind, id as a, null as b from graph.scenarios, g where enterprise_id = %(e)s and generation = g.n
                union all select 'COMPONENT', type::text, null from graph.pay_components, g where enterprise_id = %(e)s and generation = g.n
                union all select kind, from_code, to_code from graph.edges, g where enterprise_id = %(e)s and generation = g.n""".replace(
                    "%(e)s", f"'{self.enterprise}'"
                )
            )
        }
        return {
            "rules": rules,
            "regulations": regulations,
            "interpretations": interpretations,
            "curated": curated,
        }

    def there(self) -> dict[str, Any]:
        """What Neo4j has of this airline."""
        return {
            "rules": {
                r["code"]: (r["title"], r["priority"], r["appliesTo"], r["text"])
                for r in self.cypher(
                    "MATCH (n:ContractTerm {enterprise: $e}) WHERE n.retired IS NULL "
                    "RETURN n.code AS code, n.title AS title, n.priority AS priority, n.appliesTo AS appliesTo, n.text AS text"
                )
            },
            "regulations": {
                r["code"]: r["title"]
                for r in self.cypher(
                    "MATCH (n:FaaRule {enterprise: $e}) WHERE n.retired IS NULL RETURN n.code AS code, n.title AS title"
                )
            },
            "interpretations": {
                r["id"]: (r["confidence"], sorted(r["codes"]))
                for r in self.cypher(
                    "MATCH (n:Interpretation {enterprise: $e}) RETURN n.id AS id, n.confidence AS confidence, "
                    "COLLECT { MATCH (n)-[:REQUIRES]->(r) RETURN r.code } AS codes"
                )
            },
            "curated": {
                (r["kind"], r["a"], r["b"])
                for r in self.cypher(
                    """
                    MATCH (n:Scenario {enterprise: $e}) RETURN 'SCENARIO' AS kind, n.id AS a, null AS b
                    UNION ALL MATCH (n:PayComponent {enterprise: $e}) RETURN 'COMPONENT' AS kind, n.type AS a, null AS b
                    UNION ALL MATCH (a {enterprise: $e})-[r:APPLIES_TO|CONFLICTS_WITH|DEPENDS_ON]->(b)
                    WHERE a.retired IS NULL AND b.retired IS NULL
                    RETURN type(r) AS kind, coalesce(a.code, a.type) AS a, coalesce(b.code, b.id, b.type) AS b"""
                )
            },
        }

    def agree(self, seconds: float = PATIENCE, letters: int = 0, repaired: bool = False) -> None:
        """The invariant: both sides equal, no dead letter that wasn't planted, one leader; and no comparison had to repair anything."""

        def quiet() -> bool:
            return self.queue_depth() == 0 and self.wanted() == self.there()

        try:
            eventually(quiet, seconds, "both sides agree")
        except BaseException:
            for daemon in self.daemons:
                print(daemon.log.read_text())
            wanted, there = self.wanted(), self.there()
            for part, value in wanted.items():
                if value != there[part]:
                    print(part, "wanted", str(value)[:600], "there", str(there[part])[:600])
            raise
        assert (
            len(self.rows("select * from graph.dead_letters where enterprise_id = %s", self.enterprise))
            == letters
        )
        # One row an enterprise: there is never a second leader. Between two of them there may be none for a moment.
        if any(daemon.running for daemon in self.daemons):
            held = "select holder from graph.links where enterprise_id = %s and holder is not null"
            eventually(lambda: self.rows(held, self.enterprise), seconds, "a daemon leads")
        if not repaired:
            for daemon in self.daemons:
                assert " was missing" not in daemon.log.read_text(), daemon.log.read_text()
                assert " was different" not in daemon.log.read_text(), daemon.log.read_text()

    def generation(self) -> int:
        return int(
            self.one(
                "select max(generation) from graph.generations where enterprise_id = %s and accepted_at is not null",
                self.enterprise,
            )
        )

    def change(self, code: str = "ALPA_Section_13.B", title: str | None = None) -> str:
        """A change of a term, and what its title is now."""
        new = title or f"Title {secrets.token_hex(4)}"
        self.do(
            "update rules.union_contract_terms set term_title = %s where enterprise_id = %s and term_code = %s and superseded_at is null",
            new,
            self.enterprise,
            code,
        )
        return new


class Daemon:
    """A real `crewpay sync run`."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "crewpay_sync", "sync", "run"],
                env=environment,
                stdout=file,
                stderr=file,
            )

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def saw(self, text: str, seconds: float = PATIENCE) -> None:
        def said() -> bool:
            if text in self.log.read_text():
                return True
            assert self.running, self.log.read_text()
            return False

        eventually(said, seconds, f"the daemon says: {text}")

    def died(self, seconds: float = PATIENCE) -> int:
        """Waits for its end; how it ended."""
        return self.process.wait(seconds)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self, seconds: float = 60) -> None:
        """SIGTERM; it must end by itself, with exit code 0. (Within the ten seconds that systemd gives, where the machine is its own.)"""
        self.process.terminate()
        assert self.process.wait(seconds) == 0, self.log.read_text()

    def clean_up(self) -> None:
        if self.running:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(60)


def _login() -> str:
    return f"avelo_sync_{os.getpid()}"


@contextmanager
def synchronised(target: Target, driver: neo4j.Driver, server: Server, folder: Path) -> Iterator[Airline]:
    """The sample airline of a database, with a login for its daemons; those still running are ended."""
    with closing(target.connect(autocommit=True)) as conn:
        enterprise = conn.execute("select id from platform.enterprises where slug = 'avelo'").fetchone()
        assert enterprise is not None
        ensure_login(conn, _login(), enterprise[0], "sync")
        conn.execute(
            sql.SQL("alter role {} password {}").format(sql.Identifier(_login()), sql.Literal(SYNC_PASSWORD))
        )
        made = Airline(target, conn, driver, server.target, folder, enterprise[0], _login())
        try:
            yield made
        finally:
            for daemon in made.daemons:
                daemon.clean_up()


def drop_login(conn: psycopg.Connection[Any]) -> None:
    """The login that synchronised() made, once its databases are gone."""
    conn.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(_login())))


# ---- A network that fails ---------------------------------------------------------------------------------------------


class Proxy:
    """A TCP proxy that can drop, swallow, delay or cut what passes."""

    def __init__(self, port: int) -> None:
        self.to = port
        self.refuse = False
        self.delay = 0.0
        self.cut_after: int | None = None
        self._stuck: set[int] = set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refuse:
                client.close()
                continue
            try:
                upstream = socket.create_connection(("127.0.0.1", self.to), 5)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._pairs.append((client, upstream))
            for a, b in ((client, upstream), (upstream, client)):
                threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                if self.delay:
                    time.sleep(self.delay)
                if self.cut_after is not None:
                    self.cut_after -= len(data)
                    if self.cut_after < 0:
                        self.cut_after = None
                        break
                if id(source) in self._stuck:
                    continue
                sink.sendall(data)
        except OSError:
            pass
        if id(source) not in self._stuck:
            for end in (source, sink):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def half_open(self) -> None:
        """Connections of now stay, and nothing arrives on them any more; new ones work."""
        with self._lock:
            self._stuck |= {id(end) for pair in self._pairs for end in pair}
            self._pairs = []

    def drop(self) -> None:
        """Closes every connection."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def close(self) -> None:
        self._listener.close()
        self.drop()


@contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()

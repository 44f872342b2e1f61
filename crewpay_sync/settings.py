"""Settings: environment variables, then `.env`, then the private cluster's defaults. Secrets never print."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from crewpay_sync.output import CONNECTION, CrewPayError

ROOT = Path(os.environ.get("CREWPAY_ROOT") or Path(__file__).resolve().parent.parent)


class Settings(BaseSettings):
    """What the environment says. `settings()` reads it once."""

    model_config = SettingsConfigDict(
        env_file=(ROOT / ".env", ".env"), env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    database_url: SecretStr | None = None
    direct_url: SecretStr | None = None
    shadow_database_url: SecretStr | None = None
    neo4j_uri: str | None = None
    neo4j_user: str = "neo4j"
    neo4j_password: SecretStr | None = None
    crewpay_smtp_url: SecretStr | None = None
    crewpay_smtp_from: str = "crewpay@localhost"
    crewpay_smtp_ca: Path | None = None
    crewpay_webhook_url: SecretStr | None = None
    crewpay_webhook_secret: SecretStr | None = None
    crewpay_home: Path = Path("/var/lib/crewpay")
    crewpay_port: int = 5815
    crewpay_neo4j_home: Path | None = None
    crewpay_graph_exports: Path | None = None


@lru_cache
def settings() -> Settings:
    """The settings, read once; also makes PG* variables of `.env` known to libpq."""
    for file in (ROOT / ".env", Path(".env")):
        for name, value in dotenv_values(file).items():
            if name.startswith("PG") and value:
                os.environ.setdefault(name, value)
    try:
        return Settings()
    except ValidationError as error:
        names = ", ".join(str(e["loc"][0]).upper() for e in error.errors())
        raise CrewPayError(
            "CP911", f"settings are not valid: {names}", hint="See .env.example.", exit_code=CONNECTION
        ) from None

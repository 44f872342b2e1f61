# Shared by the scripts in this folder: messages, paths, running as root or as postgres. Sourced, never run.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# .env counts where the environment itself says nothing.
if [ -f "$ROOT/.env" ]; then
  for name in DATABASE_URL CREWPAY_HOME CREWPAY_PORT NEO4J_URI CREWPAY_NEO4J_HOME CREWPAY_NEO4J_PORT CREWPAY_GRAPH_EXPORTS; do
    [ -n "${!name:-}" ] && continue
    value=$(sed -n "s/^\\(export \\)\\?$name=//p" "$ROOT/.env" | tail -n 1)
    value=${value#[\"\']} value=${value%[\"\']}
    [ -z "$value" ] || export "$name=$value"
  done
fi
CREWPAY_HOME=${CREWPAY_HOME:-/var/lib/crewpay}
CREWPAY_PORT=${CREWPAY_PORT:-5815}
PGBIN=${PGBIN:-/usr/lib/postgresql/15/bin}
VENV=$ROOT/.venv
export CREWPAY_HOME CREWPAY_PORT

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 3; }

# Root's work: directly as root, else through sudo; one clear line where neither is possible.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then sudo "$@"
  else die "root is needed to run '$1': repeat as root or with sudo"
  fi
}

# Asks for root before a script begins what it could not finish.
need_root() {
  [ "$(id -u)" = 0 ] && return
  command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; } \
    || die "root is needed for $1: repeat as root or with sudo"
}

as_postgres() {
  if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@")
  else (cd / && as_root runuser -u postgres -- "$@")
  fi
}

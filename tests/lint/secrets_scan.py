"""Finds private keys, passwords in URLs and tokens in the files git tracks. Exit 1 when there are any."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PATTERNS = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "password in a URL": re.compile(r"\b[a-z][a-z0-9+]*://[^\s:/@'\"<>{}]+:([^\s@/'\"<>{}$*]{3,})@[\w.\[-]"),
    "AWS key": re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    "GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36,}\b"),
    "Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    "JSON web token": re.compile(r"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"),
    "SCRAM verifier": re.compile(r"SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]{16,}"),
    "password assigned": re.compile(
        r"(?i)^\s*[A-Z0-9_]*(?:PASSWORD|SECRET|TOKEN)[ \t]*=[ \t]*['\"]?[^\s'\"$({#<]{6,}"
    ),
}
# Words that show a value is an example.
EXAMPLES = {"password", "secret", "pw", "pass", "example"}
SKIP_SUFFIXES = {".lock", ".zip", ".gz", ".png", ".pdf"}
PYTHON_ASSIGNMENTS = {".py"}  # "TOKEN = re.compile(" and the like are not secrets


def findings(path: Path, text: str) -> list[str]:
    """Lines that look like secrets, without the secret."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if "not-a-secret" in line:
            continue
        for name, pattern in PATTERNS.items():
            if name == "password assigned" and path.suffix in PYTHON_ASSIGNMENTS:
                continue
            match = pattern.search(line)
            if match and not (match.groups() and match[1].lower() in EXAMPLES):
                found.append(f"{path}:{number}: {name}")
    return found


def main() -> int:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    found = []
    for name in filter(None, listed):
        path = ROOT / name
        if path.suffix in SKIP_SUFFIXES or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += findings(Path(name), text)
        if path.name == ".env" or path.suffix in {".pem", ".key"}:
            found.append(f"{name}: a file of this kind is not committed")
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

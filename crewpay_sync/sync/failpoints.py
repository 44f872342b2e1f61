"""Named places at which a test lets a real process die, stop or wait: CREWPAY_FAILPOINT=after_neo4j_commit:kill.

Several are joined by commas; `name:action@3` acts the third time the place is reached. Actions: kill (SIGKILL), stop
(SIGSTOP: wakes with SIGCONT), term (SIGTERM to itself), pause (one second), error (an exception).
"""

from __future__ import annotations

import os
import signal
import time

PLACES = (
    "after_claim",
    "before_peek",
    "after_peek",
    "before_write",
    "in_neo4j_tx",
    "before_neo4j_commit",
    "after_neo4j_commit",
    "after_ack",
    "after_read",
    "after_propose",
)


def _parse(text: str) -> dict[str, tuple[str, int]]:
    armed = {}
    for part in filter(None, text.split(",")):
        place, _, action = part.partition(":")
        action, _, count = action.partition("@")
        if place not in PLACES:
            raise ValueError(f"CREWPAY_FAILPOINT names an unknown place: {place}")
        armed[place] = (action, int(count or 1))
    return armed


_armed = _parse(os.environ.get("CREWPAY_FAILPOINT", ""))


def failpoint(place: str) -> None:
    """Does what CREWPAY_FAILPOINT says about the place; nothing otherwise."""
    if not _armed or place not in _armed:
        return
    action, count = _armed[place]
    if count > 1:
        _armed[place] = (action, count - 1)
        return
    del _armed[place]
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif action == "term":
        os.kill(os.getpid(), signal.SIGTERM)
    elif action == "pause":
        time.sleep(1)
    else:
        raise OSError(f"failpoint {place}")

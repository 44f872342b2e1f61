"""Messages to systemd (Type=notify, WatchdogSec): a datagram to the socket it names; nothing without systemd."""

from __future__ import annotations

import os
import socket


def tell_systemd(message: str) -> None:
    """READY=1, WATCHDOG=1, STOPPING=1 or STATUS=…; the loop itself sends them, so a loop that stalls is noticed."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(message.encode(), address)
    except OSError:
        pass  # systemd then restarts us, which is what it is for

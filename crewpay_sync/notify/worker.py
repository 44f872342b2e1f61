"""The worker: takes what is due from every enterprise's outbox, sends it, says what became of it. Any number may run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import psycopg

from crewpay_sync.notify.channels import Channel, Delivery, DeliveryError
from crewpay_sync.statements import Statements, query

BATCH = 50


def _enterprises(conn: psycopg.Connection[Any]) -> list[UUID]:
    return [row[0] for row in conn.execute(query("notify", "enterprises")).fetchall()]


def _send(channels: Mapping[str, Channel], row: Mapping[str, Any]) -> tuple[bool, str, bool]:
    """(sent, answer, for good)"""
    channel = channels.get(row["delivery_method"])
    if row["address"] is None:
        return False, "the crew member has no address in this channel", True
    if channel is None:
        return False, "this channel is not configured here", False
    delivery = Delivery(
        row["notification_id"], row["delivery_method"], row["address"], row["title"], row["message"]
    )
    try:
        return True, channel.send(delivery), False
    except DeliveryError as error:
        return False, str(error), error.for_good


def deliver_due(conn: psycopg.Connection[Any], channels: Mapping[str, Channel]) -> Counter[str]:
    """Everything that is due now; how many ended in which state. `conn` is the scheduler's, in autocommit.

    Each answer is committed by itself: what was sent is never sent again because a later one failed.
    """
    states: Counter[str] = Counter()
    for enterprise in _enterprises(conn):
        conn.execute(query("notify", "select_enterprise"), (str(enterprise),))
        while True:
            claimed = Statements("notify").rows(conn, "claim", (BATCH,))
            for row in claimed:
                sent, answer, for_good = _send(channels, row)
                done = conn.execute(
                    query("notify", "finish"), (row["notification_id"], sent, answer, for_good)
                ).fetchone()
                states[done[0] if done and done[0] else "LOST"] += 1
            if len(claimed) < BATCH:
                break
    conn.execute(query("notify", "select_enterprise"), ("",))
    return states

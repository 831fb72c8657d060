"""The desk's table of public alerts it has seen: what is shown, and what is not taken twice."""

from __future__ import annotations

from belltower.clock import Instant
from belltower.incident.facts import AlertSeen
from belltower.store import Database, Step, Transaction

STEPS = [
    Step(
        room="alerts",
        number=1,
        sql="""
        CREATE TABLE alert_seen (
            sender TEXT NOT NULL, identifier TEXT NOT NULL, sent BIGINT NOT NULL, feed TEXT NOT NULL,
            event TEXT NOT NULL, headline TEXT NOT NULL, severity TEXT NOT NULL, urgency TEXT NOT NULL,
            certainty TEXT NOT NULL, expires BIGINT NOT NULL, status TEXT NOT NULL, cancelled BIGINT NOT NULL,
            PRIMARY KEY (sender, identifier, sent)
        );
        CREATE INDEX alert_seen_expires ON alert_seen (expires);
        """,
    )
]

_COLUMNS = "feed, sender, identifier, sent, event, headline, severity, urgency, certainty, expires, status, cancelled"


def keep(tx: Transaction, alert: AlertSeen) -> None:
    """Keep the alert as it stands now."""
    tx.add(
        f"""
        INSERT INTO alert_seen ({_COLUMNS}) VALUES
            (:feed, :sender, :identifier, :sent, :event, :headline, :severity, :urgency, :certainty, :expires,
             :status, :cancelled)
        ON CONFLICT (sender, identifier, sent) DO UPDATE SET cancelled = :cancelled
        """,  # noqa: S608 - names of columns
        feed=alert.feed,
        sender=alert.sender,
        identifier=alert.identifier,
        sent=alert.sent,
        event=alert.event,
        headline=alert.headline,
        severity=alert.severity,
        urgency=alert.urgency,
        certainty=alert.certainty,
        expires=alert.expires,
        status=alert.status,
        cancelled=int(alert.cancelled),
    )


def forget(tx: Transaction, before: Instant) -> None:
    """Drop what expired before then."""
    tx.add("DELETE FROM alert_seen WHERE expires < :before", before=before)


def drop(tx: Transaction, sender: str, identifier: str, sent: Instant) -> None:
    """Drop one alert."""
    tx.add(
        "DELETE FROM alert_seen WHERE sender = :sender AND identifier = :identifier AND sent = :sent",
        sender=sender,
        identifier=identifier,
        sent=sent,
    )


async def every(database: Database) -> list[AlertSeen]:
    """All that is kept, the latest first."""
    rows = await database.read(f"SELECT {_COLUMNS} FROM alert_seen ORDER BY sent DESC")  # noqa: S608 - as above
    return [
        AlertSeen(
            feed=row[0],
            sender=row[1],
            identifier=row[2],
            sent=row[3],
            event=row[4],
            headline=row[5],
            severity=row[6],
            urgency=row[7],
            certainty=row[8],
            expires=row[9],
            status=row[10],
            cancelled=bool(row[11]),
        )
        for row in rows
    ]

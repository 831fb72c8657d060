"""Somebody at the desk, who presses the buttons of its pages as a browser would; and what everybody outside was told."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from html import unescape
from typing import Any, NamedTuple

import aiohttp
from twilio.request_validator import RequestValidator

from belltower.incident.facts import Mode
from gateway.carrier.records import TOKEN
from tests.stories.house import House

Fields = str | Sequence[str]


class Office:
    """The signed-in person of a house."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def press(self, page: str, action: str, /, **fields: Fields) -> tuple[int, str, str]:
        """Fill in and send the form of `page` that goes to `action`: status, path and text of what comes then."""
        shown = await self.house.page(page)
        form = next(_forms(shown, action, fields), None)
        assert form is not None, f"{page} has no form for {action} with {fields}: {shown[-3000:]}"
        sent = [*form.items()]
        for name, value in fields.items():
            sent += [(name, each) for each in ([value] if isinstance(value, str) else value)]
        url, origin = f"{self.house.url}{action}", {"Origin": self.house.url}
        async with self.house.session.post(url, data=aiohttp.FormData(sent), headers=origin) as answer:
            return answer.status, answer.url.path, await answer.text()

    async def done(self, page: str, action: str, /, **fields: Fields) -> str:
        """As `press`, and it is done: the path of the page that comes then."""
        status, path, text = await self.press(page, action, **fields)
        assert status == 200, text
        return path

    async def write(self, template: str, /, **fields: Fields) -> str:
        """A notice, not sent yet: the path of its draft."""
        return await self.done("/notices/new", "/notices/new", template=template, **fields)

    async def send(self, template: str, /, **fields: Fields) -> str:
        """A notice, sent: its id."""
        draft = await self.write(template, **fields)
        path = await self.done(draft, f"{draft}/send")
        assert path == draft.replace("/drafts", ""), path
        return path.rpartition("/")[2]

    async def order(self, incident: str, action: str) -> None:
        """Everybody is to do this."""
        page = f"/incidents/{incident}"
        await self.done(page, f"{page}/actions", action=action)

    async def classes(self) -> list[str]:
        """The roster's, once one is in force: named one by one, they are everybody, and take one person."""
        chosen = re.search(
            r'name="class"[^>]*>(.*?)</select>', await self.house.page("/notices/new"), re.DOTALL
        )
        return re.findall(r'value="([^"]+)"', chosen[1]) if chosen else []


def _forms(page: str, action: str, fields: dict[str, Fields]) -> Iterator[dict[str, str]]:
    """The hidden fields of each form that goes there, and of whose hidden fields none is otherwise."""
    for inner in re.findall(rf'<form method="post" action="{action}"[^>]*>(.*?)</form>', page, re.DOTALL):
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', inner))
        hidden = {name: unescape(value) for name, value in hidden.items()}
        if all(hidden.pop(name, value) == value for name, value in fields.items()):
            yield hidden


class Told(NamedTuple):
    """One message at a phone or in a mailbox."""

    at: int
    channel: str
    to: str
    words: str
    notice: str
    delivery: str


async def told(house: House, *others: str) -> list[Told]:
    """All that the carriers were handed, in order, each with the notice it is of; `others` are URLs of more carriers."""
    found = []
    of = notices_of(house)
    for url in (house.carrier_url, *others):
        for to, texts in (await house.get(f"{url}/phones")).items():
            for text in texts:
                delivery = text["callback"].rpartition("/")[2]
                found.append(Told(text["at"], "sms", to, text["body"], of[delivery], delivery))
        for to, mails in (await house.get(f"{url}/mailboxes")).items():
            for mail in mails:
                delivery = mail["message_id"].strip("<>").partition("@")[0]
                found.append(
                    Told(
                        mail["at"], "email", to, f"{mail['subject']}\n{mail['body']}", of[delivery], delivery
                    )
                )
    return sorted(found)


def notices_of(house: House) -> dict[str, str]:
    """The notice of each delivery."""
    return dict(rows(house, "SELECT id, notice FROM notice_delivery"))


def rows(house: House, sql: str, **values: object) -> list[Any]:
    """Rows of the desk's database, read beside the running lane."""
    reading = sqlite3.connect(f"file:{house.state / 'desk.db'}?mode=ro", uri=True)
    try:
        return reading.execute(sql, values).fetchall()
    finally:
        reading.close()


def ways(said: Sequence[Told], *notices: str) -> set[tuple[str, str]]:
    """Channel and address of everybody who got any of these."""
    return {(one.channel, one.to) for one in said if one.notice in notices}


def ordered(house: House) -> dict[str, dict[str, Any]]:
    """Every notice ordered by either lane."""
    facts = house.facts("notice.ordered") + house.facts("notice.ordered", desk=True)
    return {fact["notice"]: fact for fact in facts}


MARKS = ("EXERCISE EXERCISE EXERCISE", "SIMULACRO SIMULACRO SIMULACRO")
"""What an exercise says first and last, in the reader's language."""


def mistaken(house: House, said: Sequence[Told]) -> list[Told]:
    """Those that say EXERCISE and are none, or are one and do not say so first and last."""
    modes = {notice: fact["mode"] for notice, fact in ordered(house).items()}
    return [one for one in said if _marked(one) != (modes[one.notice] == Mode.EXERCISE)]


def _marked(one: Told) -> bool | None:
    """None: in part, or in the wrong places."""
    text = one.words.strip()
    if any(text.startswith(mark) and text.endswith(mark) for mark in MARKS):
        return True
    return False if not any(mark.split()[0] in text for mark in MARKS) else None


async def text_back(house: House, number: str, words: str) -> None:
    """Somebody answers from this number, through the carrier."""
    url = f"{house.url}/notices/replies/text"
    form = {
        "MessageSid": f"SM{abs(hash(number)):032x}"[:34],
        "From": number,
        "To": "+15550100",
        "Body": words,
    }
    signature = RequestValidator(TOKEN).compute_signature(url, form)
    async with house.session.post(url, data=form, headers={"X-Twilio-Signature": signature}) as answer:
        assert answer.status < 300, await answer.text()

"""Calls as SIA DC-09 reports, pure: the same call is the same report for ever, until it is numbered and timed."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from belltower.ids import CallId
from belltower.incident.facts import AlarmKind
from gateway.psap import dc09_text
from gateway.psap.dc09_settings import Codes
from gateway.psap.link import (
    FIRST_PRESS,
    Call,
    ExerciseCall,
    Frame,
    LinkTest,
    LiveCall,
    More,
    Spot,
    Update,
)
from gateway.psap.radio_text import call_frame_id, plain, text_frame_id
from gateway.psap.ranges import Ranges
from hardware.codecs import dc09
from hardware.codecs.dc09 import Content, Extra, Kind
from hardware.codecs.dc09_events import Event, contact_id_payload, sia_payload


class Reports(Struct, frozen=True, kw_only=True):
    """How one account reports."""

    # SIA-DCS or ADM-CID.
    kind: Kind
    account: str
    codes: Codes
    receiver: str = "0"
    line: str = "0"
    area: int = 1
    zones: Mapping[str, int] = {}

    def first(self, call: Call) -> Frame:
        """The call itself."""
        text = dc09_text.call_text(call)
        covers = ((call.order.call, FIRST_PRESS),)
        return self._frame(call_frame_id(call.order.number), self._code(call), call.spot, text, covers=covers)

    def more(self, more: More) -> Frame:
        """Further presses of one building; the next summary tells of the others."""
        text, call, told = dc09_text.more_text(more)
        covers = ((call.order.call, told),)
        return self._frame(text_frame_id("S", text), self._code(call), call.spot, text, covers=covers)

    def update(self, update: Update) -> Frame:
        """A cancellation is the user's cancel code; a correction is the alarm again, from the new place."""
        text = dc09_text.update_text(update)
        frame_id = text_frame_id("U", f"{text} {update.order.update}")
        if update.spot is not None:
            return self._frame(frame_id, self._code(update.call), update.spot, text)
        match update.call:
            case LiveCall():
                code = self.codes.cancel
            case ExerciseCall():
                code = self.codes.test
        return self._frame(frame_id, code, update.call.spot, text)

    def test(self, test: LinkTest) -> Frame:
        """A manual test."""
        text = dc09_text.test_text(test)
        return self._frame(text_frame_id("T", text), self.codes.test, None, text)

    def null(self) -> dc09.Frame:
        """The link test, with number 0."""
        return dc09.Frame(
            kind=Kind.NULL, account=self.account, receiver=self.receiver, line=self.line, content=Content()
        )

    def _code(self, call: Call) -> str:
        match call:
            case LiveCall(order=order):
                return self.codes.medical if order.kind is AlarmKind.MEDICAL else self.codes.panic
            case ExerciseCall():
                return self.codes.test

    def _frame(
        self,
        frame_id: str,
        code: str,
        spot: Spot | None,
        text: str,
        *,
        covers: tuple[tuple[CallId, Ranges], ...] = (),
    ) -> Frame:
        zone = self.zones.get(spot.place, 0) if spot is not None and spot.place is not None else 0
        if self.kind is Kind.CID:
            event = Event(code=code, area=f"{self.area:02}", zone=f"{zone:03}")
            payload = contact_id_payload(event)
            extras: tuple[Extra, ...] = (Extra("I", text),)
        else:
            event = Event(code=code, area=str(self.area), zone=f"{zone:03}", text=text)
            payload, extras = sia_payload(event), _where(spot)
        report = dc09.Frame(
            kind=self.kind,
            account=self.account,
            receiver=self.receiver,
            line=self.line,
            content=Content(data=f"#{self.account}|{payload}", extras=extras),
        )
        return Frame(id=frame_id, octets=dc09.encode(report), text=text, covers=covers)


def _where(spot: Spot | None) -> tuple[Extra, ...]:
    """Building, room and position, as far as they are known."""
    if spot is None:
        return ()
    extras = [
        Extra(tag, plain(text, room=48))
        for tag, text in (("O", spot.building_name or spot.building), ("R", spot.room))
        if text
    ]
    if spot.position is not None:
        latitude, longitude = spot.position
        extras.append(Extra("X", _degrees(longitude, 3, "EW")))
        extras.append(Extra("Y", _degrees(latitude, 2, "NS")))
    return tuple(extras)


def _degrees(value: float, width: int, sides: str) -> str:
    """Degrees, side and minutes: `093W45.123`."""
    thousandths = round(abs(value) * 60_000)
    degrees, rest = divmod(thousandths, 60_000)
    return f"{degrees:0{width}}{sides[value < 0]}{rest // 1000:02}.{rest % 1000:03}"

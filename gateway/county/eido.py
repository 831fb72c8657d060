"""The county's end of EIDO: a dispatch system that subscribes to the school and tells it of responders."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial

from msgspec.structs import replace

from belltower.clock import Clock
from belltower.errors import Malformed, Unreachable
from belltower.ids import RandomBytes
from belltower.tasks import together
from gateway.county import eido_case
from gateway.county.eido_case import Case
from gateway.county.end import COMMON, Fault
from gateway.county.screen import Acknowledged, HeardCall, ReadBack, Screen, ScreenEvent
from gateway.psap.eido import conveyance, document
from gateway.psap.eido.conveyance import EventResponse
from gateway.psap.eido.notifier import Answered, Notifier, Told
from gateway.psap.eido.subscriber import Notified, Subscriber
from gateway.psap.eido_sockets import Dial, WebDoor, Wire

FAULTS: Mapping[str, float] = {
    name: COMMON[name]
    for name in (
        "silent",
        "late",
        "negative",
        "wrong-id",
        "duplicate-ack",
        "half-open",
        "cut",
        "deaf-after",
        "busy",
    )
}
_REDIAL = 0.3
_KEPT = 1_024


class EIDOEnd:
    """A `CountyEnd`: subscribes to the school's notifier, and is a notifier to which the school subscribes."""

    def __init__(
        self,
        *,
        name: str,
        dial: Dial,
        door: WebDoor,
        scheme: str,
        path: str,
        clock: Clock,
        random_bytes: RandomBytes,
        element: str = "cad.county.example",
    ) -> None:
        self.name = name
        self.address = ""
        self.ready = asyncio.Event()
        self.fault: Fault | None = None
        self.faults: Mapping[str, float] = FAULTS
        self.subscribed = asyncio.Event()
        """Set while the school tells this system of its calls."""
        self.heard = 0
        """Events that came, empty ones too."""
        self._dial = dial
        self._door = door
        self._scheme = scheme
        self._path = path
        self._clock = clock
        self._random_bytes = random_bytes
        self._element = element
        self._cases: OrderedDict[str, Case] = OrderedDict()
        self._notifiers: dict[Notifier, asyncio.Event] = {}
        self._number = 0

    async def run(self, screen: Screen) -> None:
        """Be both until cancelled."""
        unfollow = screen.follow(self._person, end=self.name)
        try:
            await self._door.open(partial(self._meet, screen), self._fetch)
            self.address = f"{self._scheme}://127.0.0.1:{self._door.port}{self._path}"
            self.ready.set()
            await self._subscribe(screen)
        finally:
            unfollow()
            await self._door.close()

    # ---- what the school tells

    async def _subscribe(self, screen: Screen) -> None:
        while True:
            wire: Wire | None = None
            try:
                wire = await self._dial()
                subscriber = Subscriber(mint=self._mint)
                bell = asyncio.Event()
                await together(
                    county_hear=self._hear(wire, subscriber, bell, screen),
                    county_ask=self._ask(wire, subscriber, bell),
                )
            except Unreachable:
                pass
            finally:
                self.subscribed.clear()
                if wire is not None:
                    await wire.close()
            await asyncio.sleep(_REDIAL)

    async def _ask(self, wire: Wire, subscriber: Subscriber, bell: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        subscriber.begin(loop.time())
        while True:
            bell.clear()
            subscriber.tick(loop.time())
            for octets in subscriber.outgoing():
                await wire.send(octets)
            if subscriber.closing:
                raise Unreachable(subscriber.closing)
            try:
                async with asyncio.timeout_at(subscriber.next_at()):
                    await bell.wait()
            except TimeoutError:
                pass

    async def _hear(self, wire: Wire, subscriber: Subscriber, bell: asyncio.Event, screen: Screen) -> None:
        while True:
            if self._is("half-open") and subscriber.subscription:
                await asyncio.sleep(0.05)
                continue
            octets = await wire.receive()
            notified = subscriber.receive(octets, asyncio.get_running_loop().time())
            if subscriber.subscription:
                self.subscribed.set()
            bell.set()
            if notified is None or self._is("half-open"):
                continue
            self.heard += 1
            if self._is("cut"):
                raise Unreachable("cut")
            if self._is("silent") or (
                self.fault and self._is("deaf-after") and self.heard > self.fault.value
            ):
                continue
            taken = self._take(notified, screen)
            await self._answer(wire, notified.transaction, taken=taken)

    async def _answer(self, wire: Wire, transaction: str, *, taken: bool) -> None:
        code, text = (conveyance.OK, "OK") if taken else (conveyance.BAD_REQUEST, "Refused")
        if self._is("negative"):
            code, text = 403, "Forbidden"
        elif self._is("busy"):
            code, text = conveyance.BUSY, "Busy"
        if self._is("wrong-id"):
            transaction = f"X{transaction}"
        if self.fault is not None and self._is("late"):
            await asyncio.sleep(self.fault.value)
        answer = conveyance.encode(
            EventResponse(transaction_id=transaction, status_code=code, status_text=text)
        )
        for _ in range(2 if self._is("duplicate-ack") else 1):
            await wire.send(answer)

    def _take(self, notified: Notified, screen: Screen) -> bool:
        if not notified.documents:
            if (test := eido_case.test_in(notified.transaction)) is not None:
                screen.show(HeardCall(end=self.name, number=test[0], key=test[1], test=True))
            return True
        taken = True
        for octets in notified.documents:
            try:
                taken = self._show(eido_case.read(document.parse(octets)), screen) and taken
            except Malformed:
                taken = False
        return taken

    def _show(self, told: eido_case.Told, screen: Screen) -> bool:
        name = told.case.name
        shown = screen.show(
            HeardCall(
                end=self.name,
                number=name.number,
                key=name.key,
                incident=name.incident,
                kind=told.kind,
                exercise=name.exercise,
                building=told.building,
                place=told.place,
                presses=told.presses,
            )
        )
        if told.case.asked == "cancel":
            screen.cancel(self.name, name.number, name.key)
        elif told.case.asked == "correct":
            screen.correct(self.name, name.number, name.key, place=told.place, building=told.building)
        known = self._cases.get(told.case.id, told.case)
        self._keep(replace(known, asked=told.case.asked, update=told.case.update))
        return shown and not self._is("negative")

    # ---- what the school is told

    def _person(self, event: ScreenEvent) -> None:
        for case in [each for each in self._cases.values() if each.name.number == event.number]:
            if event.key and event.key != case.name.key:
                continue
            match event:
                case Acknowledged(by=by):
                    changed = replace(case, by=by)
                case ReadBack(by=by):
                    changed = replace(case, read_by=by, read=case.asked, read_update=case.update)
                case _:
                    changed = replace(case, status=event.status)
            self._keep(changed)
            self._number += 1
            told = self._told(changed)
            for notifier, bell in self._notifiers.items():
                notifier.tell(f"N{self._number}", [told], asyncio.get_running_loop().time())
                bell.set()

    async def _meet(self, screen: Screen, wire: Wire) -> None:
        notifier = Notifier(element=self._element, mint=self._mint, active=self._active)
        bell = self._notifiers[notifier] = asyncio.Event()
        try:
            await together(
                county_told_hear=self._listen(wire, notifier, bell, screen),
                county_told_speak=self._speak(wire, notifier, bell),
            )
        except Unreachable:
            pass
        finally:
            del self._notifiers[notifier]
            await wire.close()

    async def _listen(self, wire: Wire, notifier: Notifier, bell: asyncio.Event, screen: Screen) -> None:
        while True:
            notifier.receive(await wire.receive(), asyncio.get_running_loop().time())
            for noticed in notifier.noticed():
                if isinstance(noticed, Answered) and noticed.code == conveyance.OK:
                    for case in self._cases.values():
                        if case.by:
                            screen.confirmed(self.name, case.name.number)
            bell.set()

    async def _speak(self, wire: Wire, notifier: Notifier, bell: asyncio.Event) -> None:
        while True:
            bell.clear()
            notifier.tick(asyncio.get_running_loop().time())
            for octets in notifier.outgoing():
                await wire.send(octets)
            if notifier.closing:
                raise Unreachable(notifier.closing)
            try:
                async with asyncio.timeout_at(notifier.next_at()):
                    await bell.wait()
            except TimeoutError:
                pass

    def _active(self) -> list[Told]:
        return [self._told(case) for case in self._cases.values() if case.told]

    def _fetch(self, id_: str) -> bytes | None:
        case = self._cases.get(id_)
        return self._told(case).document if case is not None else None

    def _told(self, case: Case) -> Told:
        return Told(
            id=case.id,
            frame="N",
            document=document.encode(eido_case.write(case, element=self._element, now=self._clock.now())),
        )

    # ----

    def _keep(self, case: Case) -> None:
        self._cases[case.id] = case
        self._cases.move_to_end(case.id)
        if len(self._cases) > _KEPT:
            self._cases.popitem(last=False)

    def _is(self, fault: str) -> bool:
        return self.fault is not None and self.fault.name == fault

    def _mint(self) -> str:
        return self._random_bytes(12).hex()

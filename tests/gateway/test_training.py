"""The training page's doors; what it does is shown whole in test_demo."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from belltower.ids import PlaceId
from floorplans.place import Place
from gateway.training.app import make_training
from gateway.training.others import Text
from gateway.training.scene import School, scene

NOBODY = "http://127.0.0.1:1"
SCHOOL = School(
    name="Lindenfield School",
    places={"a-101": Place(id=PlaceId("a-101"), label="101", building="A", box=(0, 0, 90, 90))},
    outlines=[],
    people=[],
)


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """The page, with no simulator behind it."""
    app = make_training(
        school=SCHOOL, units=NOBODY, county=NOBODY, carrier=NOBODY, live="http://127.0.0.1:2", sign_in=str
    )
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_silent_simulator_is_said_not_shown_as_empty(address: str) -> None:
    """Three do not answer: the page stands, and says so three times."""
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        html = await answer.text()

    assert 200 == answer.status
    assert 3 == html.count("not answer. If")
    assert "Cannot read the county" in html
    assert "Cannot read the phones" in html
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/press", "/acknowledge", "/faults", "/answer"])
async def test_forms_from_elsewhere_and_nonsense_are_refused(address: str, path: str) -> None:
    """Another page's form, another name for us, and fields that name nothing."""
    async with aiohttp.ClientSession() as session:
        answers = []
        for headers in (
            {},
            {"Origin": "http://evil.example"},
            {"Origin": "http://evil.example", "Host": "evil.example"},
            {"Origin": address},
        ):
            fields = {"unit": "../x", "number": "-1", "county": "burn"}
            async with session.post(address + path, data=fields, headers=headers) as answer:
                answers.append(answer.status)

    assert [403, 403, 403, 400] == answers


async def test_a_form_that_is_no_text_is_refused(address: str) -> None:
    """It is the sender's fault, and is answered as one."""
    headers = {"Origin": address, "Content-Type": "application/x-www-form-urlencoded"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(address + "/press", data=b"unit=\xff", headers=headers) as answer,
    ):
        text = await answer.text()

    assert (400, "This form cannot be read.") == (answer.status, text)


async def test_a_press_on_a_silent_simulator_says_that_it_did_not_answer(address: str) -> None:
    """Nothing is pretended."""
    async with aiohttp.ClientSession() as session:
        fields = {"unit": "u1", "kind": "panic"}
        async with session.post(address + "/press", data=fields, headers={"Origin": address}) as answer:
            text = await answer.text()

    assert (502, True) == (answer.status, "does not answer" in text)


async def test_a_wrong_answer_comes_back_on_the_page_that_it_was_written_on(address: str) -> None:
    """With what is wrong, beside the form: never on a blank page."""
    async with aiohttp.ClientSession(headers={"Origin": address}) as session:
        told = []
        for number in ("100", "+15555550101"):
            fields = {"number": number, "text": "1"}
            async with session.post(address + "/answer", data=fields) as answer:
                html = await answer.text()
            told.append((answer.status, re.findall(r'<p class="fault" role="alert">(.{17})', html)))
            assert 'action="/answer"' in html

    assert [(400, ["Choose a phone th"]), (502, ["its simulator doe"])] == told


def test_the_phone_of_somebody_else_is_no_familys_and_can_be_answered() -> None:
    """A teacher of the roster has one too: it is called by its number, and offered for answers."""
    text = Text(to="+15555550177", body="EXERCISE", status="delivered")
    drawn = scene(SCHOOL, [], [], {text.to: [text]}, {})

    assert ["+15555550177"] == drawn.others
    assert ["Another phone, +15555550177"] == [reader.name for reader in drawn.readers or ()]

"""The conveyance of NENA-STA-024.1: the published messages in both roles, and the rules of section 2.1.1."""

import json
from itertools import count
from pathlib import Path
from random import Random

import pytest

from belltower.errors import Malformed
from gateway.psap.eido import conveyance
from gateway.psap.eido.notifier import AFTER_CLOSURE, Answered, Lapsed, Notifier, Subscribed, Told
from gateway.psap.eido.subscriber import Notified, Subscriber

PUBLISHED = {
    path.stem: path.read_bytes()
    for path in sorted((Path(__file__).parents[2] / "golden/eido/conveyance").glob("*.json"))
}
PANIC = Told(
    id="urn:emergency:uid:incidentid:C1-I1-K00000000:x.example", frame="C0001", document=b'{"$id":"a"}'
)
OVER = Told(
    id="urn:emergency:uid:incidentid:C2-I1-K00000000:x.example", frame="C0002", document=b"{}", closed_at=0.0
)


def a_notifier(*told, **options):
    """One WebSocket of a notifier that has told of these."""
    numbers = count(1)
    return Notifier(element="x.example", mint=lambda: f"m{next(numbers)}", active=lambda: told, **options)


def a_subscriber():
    """One WebSocket of a subscriber whose request ids are those of the published messages."""
    ids = iter(["63bfd612-f558-4489-b653-caa76a7edb9b", *(f"r{number}" for number in range(1000))])
    return Subscriber(mint=lambda: next(ids))


def said(side):
    """What it says now, as JSON."""
    return [json.loads(octets) for octets in side.outgoing()]


def subscribe(**fields):
    """A request."""
    return json.dumps({"subscribe": {"requestId": "r", "requestType": "EIDO", **fields}}).encode()


def respond(transaction, code=200):
    """An answer to an event."""
    return json.dumps({"eventResponse": {"transactionId": transaction, "statusCode": code}}).encode()


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_published_message_is_read_and_written_again_as_it_was(name):
    """Every key and value."""
    assert json.loads(PUBLISHED[name]) == json.loads(conveyance.encode(conveyance.decode(PUBLISHED[name])))


def test_the_notifier_plays_its_part_of_the_published_dialogue():
    """Subscribe, answered and told at once; eventResponse; unsubscribe, answered; then the socket is to close."""
    notifier = a_notifier()
    notifier.receive(PUBLISHED["BasicSubscribe"], 0.0)
    answer, event = said(notifier)
    published = json.loads(PUBLISHED["BasicSubscribeResponse"])["subscribeResponse"]
    assert {**published, "subscriptionId": "m1"} == answer["subscribeResponse"]
    assert ("m1", []) == (event["event"]["subscriptionId"], event["event"]["notification"])

    transaction = event["event"]["transactionId"]
    taken = json.loads(PUBLISHED["NotifyResponse"])
    taken["eventResponse"]["transactionId"] = transaction
    notifier.receive(json.dumps(taken).encode(), 1.0)
    assert [Subscribed(subscription="m1"), Answered(frames=(), code=200)] == notifier.noticed()

    notifier.receive(PUBLISHED["BasicUnsubscribe"].replace(b"sub1234", b"m1"), 2.0)
    assert [json.loads(PUBLISHED["BasicUnsubscribeResponse"].replace(b"sub1234", b"m1"))] == [
        {"unsubscribeResponse": {k: v for k, v in each["unsubscribeResponse"].items() if k != "requestId"}}
        for each in said(notifier)
    ]
    assert [Lapsed(subscription="m1")] == notifier.noticed()
    assert notifier.closing


def test_the_subscriber_plays_its_part_of_the_published_dialogue():
    """It asks, is answered, is told, and answers a terminate as published."""
    subscriber = a_subscriber()
    subscriber.begin(0.0)
    (asked,) = said(subscriber)
    published = json.loads(PUBLISHED["BasicSubscribe"])["subscribe"]
    for key in ("requestId", "requestType", "requestSubType"):
        assert published[key] == asked["subscribe"][key]
    subscriber.receive(PUBLISHED["BasicSubscribeResponse"], 0.1)
    assert "sub1234" == subscriber.subscription

    event = b'{"event":{"subscriptionId":"sub1234","transactionId":"t1","notification":[{"a":1},{}]}}'
    assert Notified(transaction="t1", documents=(b'{"a":1}', b"{}")) == subscriber.receive(event, 0.2)
    subscriber.answer("f894fjhdsh940jdf@192.168.2.1")
    assert [json.loads(PUBLISHED["NotifyResponse"])] == said(subscriber)

    subscriber.receive(PUBLISHED["TerminateRequest"], 0.3)
    assert [json.loads(PUBLISHED["TerminateResponse"])] == said(subscriber)
    assert subscriber.closing


# ---- the notifier, 2.1.1


def test_whoever_subscribes_to_new_is_told_of_every_active_incident_at_once():
    """The closed one is not among them."""
    notifier = a_notifier(PANIC, OVER)
    notifier.receive(subscribe(requestSubType="new"), 0.0)
    _, event = said(notifier)

    assert [{"$id": "a"}] == event["event"]["notification"]
    notifier.receive(respond(event["event"]["transactionId"]), 0.0)
    assert Answered(frames=("C0001",), code=200) in notifier.noticed()


def test_a_request_of_65536_octets_is_taken_and_a_longer_one_is_not():
    """2.1.1: everybody takes that much."""
    request = subscribe(requestSubType="new", qualFilter="")
    notifier = a_notifier()
    padded = subscribe(requestSubType="new", qualFilter="x" * (65_536 - len(request)))
    assert 65_536 == len(padded)
    notifier.receive(padded, 0.0)
    assert notifier.subscribed

    with pytest.raises(Malformed):
        conveyance.decode(padded + b" ")


def test_a_single_incident_can_be_asked_for_until_five_minutes_after_its_closure():
    """200 and its last state; then 404."""
    for after, code in ((AFTER_CLOSURE - 1, 200), (AFTER_CLOSURE + 1, 404)):
        notifier = a_notifier(PANIC, OVER)
        notifier.receive(subscribe(requestSubType="single", incidentId=OVER.id), after)
        answer, *events = said(notifier)
        assert code == answer["subscribeResponse"]["statusCode"]
        assert ([[{}]] if code == 200 else []) == [each["event"]["notification"] for each in events]
        assert not notifier.subscribed


def test_a_single_subscription_hears_of_its_incident_only():
    """The other one passes it by."""
    notifier = a_notifier(PANIC)
    notifier.receive(subscribe(requestSubType="single", incidentId=PANIC.id), 0.0)
    said(notifier)

    assert not notifier.tell("C0003", [Told(id="other", frame="C0003", document=b"{}")], 1.0)
    assert notifier.tell("S0004", [PANIC], 1.0)
    assert not notifier.tell("T1", [], 1.0)


def test_the_same_frame_is_the_same_transaction_until_it_is_answered_once():
    """A repeat can be known as one; a second answer is nothing."""
    notifier = a_notifier()
    notifier.receive(subscribe(), 0.0)
    said(notifier)
    notifier.noticed()
    notifier.tell("C0001", [PANIC], 1.0)
    notifier.tell("C0001", [PANIC], 6.0)
    first, second = said(notifier)
    assert first == second

    for _ in range(2):
        notifier.receive(respond(first["event"]["transactionId"]), 7.0)
    notifier.receive(respond("X" + first["event"]["transactionId"]), 7.0)
    assert [Answered(frames=("C0001",), code=200)] == notifier.noticed()
    assert 2 == notifier.counts["stray"]


def test_a_subscription_ends_when_its_time_is_over_and_with_the_last_one_the_socket():
    """Terminate goes out; the socket closes on its answer, or five seconds later."""
    for answered in (True, False):
        notifier = a_notifier(heartbeat=1000.0)
        notifier.receive(subscribe(expires=100), 0.0)
        said(notifier)
        notifier.receive(respond("A0.m1@x.example"), 0.0)
        notifier.tick(99.0)
        assert [] == said(notifier)
        notifier.tick(100.0)
        (end,) = said(notifier)
        assert "m1" == end["terminate"]["subscriptionId"]
        assert not notifier.closing
        if answered:
            notifier.receive(PUBLISHED["TerminateResponse"].replace(b"sub1234", b"m1"), 101.0)
        else:
            notifier.tick(105.0)
        assert notifier.closing


def test_a_subscription_is_renewed_by_its_id():
    """And an unknown id is 404."""
    notifier = a_notifier(heartbeat=1000.0)
    notifier.receive(subscribe(expires=100), 0.0)
    notifier.receive(respond("A0.m1@x.example"), 0.0)
    notifier.receive(subscribe(expires=100, subscriptionId="m1"), 90.0)
    notifier.receive(subscribe(expires=100, subscriptionId="m9"), 90.0)
    codes = [
        each["subscribeResponse"]["statusCode"] for each in said(notifier) if "subscribeResponse" in each
    ]
    notifier.tick(150.0)

    assert [200, 200, 404] == codes
    assert notifier.subscribed


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, 200),
        ({"requestType": "eido", "requestSubType": None}, 200),
        ({"requestType": "LogEvent"}, 400),
        ({"requestSubType": "some"}, 400),
        ({"requestAccepts": 'application/emergency.eido+json; version="1,2,3"'}, 200),
        ({"requestAccepts": "application/emergency.eido+json"}, 200),
        ({"requestAccepts": 'application/emergency.eido+json; version="2,3"'}, 406),
        ({"requestAccepts": "application/cap+xml"}, 406),
        ({"requestSubType": "single", "incidentId": "urn:x"}, 404),
        ({"expires": 10**400}, 200),
        ({"minRate": -5}, 200),
    ],
)
def test_a_request_is_answered_with_its_status_code(fields, code):
    """As HTTP would."""
    notifier = a_notifier()
    notifier.receive(subscribe(**fields), 0.0)
    answer = said(notifier)[0]["subscribeResponse"]

    assert ("r", code) == (answer["requestId"], answer["statusCode"])


def test_what_is_no_request_is_answered_400_where_it_can_be():
    """A subscribe of the wrong shape; nonsense has no answer."""
    notifier = a_notifier()
    for octets in (
        b'{"subscribe":{"requestId":"r","expires":"soon"}}',
        b"nonsense",
        b'{"a":1}',
        b"[]",
        b"{}",
    ):
        notifier.receive(octets, 0.0)

    assert [
        {"subscribeResponse": {"requestId": "r", "statusCode": 400, "statusText": "Bad Request"}}
    ] == said(notifier)
    assert 5 == notifier.counts["malformed"]


def test_seventeen_subscriptions_on_one_socket_are_too_many():
    """503 for the last."""
    notifier = a_notifier()
    for _ in range(17):
        notifier.receive(subscribe(), 0.0)
    codes = [
        each["subscribeResponse"]["statusCode"] for each in said(notifier) if "subscribeResponse" in each
    ]

    assert [200] * 16 + [503] == codes


def test_a_quiet_subscription_gets_an_empty_event_and_one_that_answers_none_is_given_up_in_90_seconds():
    """From the last answer; three events go astray by then."""
    notifier = a_notifier()
    notifier.receive(subscribe(), 0.0)
    (_, event) = said(notifier)
    notifier.receive(respond(event["event"]["transactionId"]), 0.0)
    now, events = 0.0, 0
    while not notifier.closing:
        now = notifier.next_at()
        notifier.tick(now)
        events += len(said(notifier))

    assert (75.0, 3) == (now, events)


def test_min_rate_asks_for_empty_events_sooner_but_not_sooner_than_five_seconds():
    """Some subscribers mean seconds by it: 20 ms is not what they want."""
    for rate, due in ((20, 5.0), (12_000, 12.0), (3_600_000, 30.0)):
        notifier = a_notifier()
        notifier.receive(subscribe(minRate=rate), 0.0)
        notifier.receive(respond("A0.m1@x.example"), 0.0)
        assert due == notifier.next_at()


def test_many_active_incidents_come_in_several_events():
    """Each of at most a quarter of a MiB, all of them told."""
    many = [Told(id=str(n), frame=f"C{n}", document=b'"' + b"x" * 5_000 + b'"') for n in range(200)]
    notifier = a_notifier(*many)
    notifier.receive(subscribe(), 0.0)
    octets = notifier.outgoing()[1:]

    assert 200 == sum(len(json.loads(each)["event"]["notification"]) for each in octets)
    assert max(map(len, octets)) < 300_000


def test_a_subscriber_that_asks_and_does_not_listen_is_closed():
    """What waits for it is bounded."""
    notifier = a_notifier()
    for _ in range(10_000):
        notifier.receive(subscribe(), 0.0)

    assert notifier.closing
    assert len(notifier.outgoing()) <= 300
    assert not any(notifier.tell("C1", [PANIC], 0.0) for _ in range(300)) or len(notifier.outgoing()) <= 300


# ---- the subscriber


def test_the_subscription_is_renewed_before_it_runs_out():
    """At four fifths of its time, by its id; without an answer it is given up."""
    subscriber = a_subscriber()
    subscriber.begin(0.0)
    said(subscriber)
    subscriber.receive(PUBLISHED["BasicSubscribeResponse"], 0.0)
    assert 2880.0 == subscriber.next_at()
    subscriber.tick(2880.0)
    (again,) = said(subscriber)
    assert "sub1234" == again["subscribe"]["subscriptionId"]
    subscriber.tick(2890.0)

    assert subscriber.closing


def test_a_notifier_that_forgot_the_subscription_is_asked_for_a_new_one():
    """404 to the renewal."""
    subscriber = a_subscriber()
    subscriber.begin(0.0)
    said(subscriber)
    subscriber.receive(PUBLISHED["BasicSubscribeResponse"], 0.0)
    subscriber.tick(2880.0)
    (again,) = said(subscriber)
    refused = {"requestId": again["subscribe"]["requestId"], "statusCode": 404}
    subscriber.receive(json.dumps({"subscribeResponse": refused}).encode(), 2881.0)
    (anew,) = said(subscriber)

    assert "subscriptionId" not in anew["subscribe"]
    assert not subscriber.closing


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {"requestId": "63bfd612-f558-4489-b653-caa76a7edb9b", "statusCode": 403},
        {"requestId": "another", "subscriptionId": "s", "statusCode": 200},
    ],
)
def test_without_a_yes_to_this_very_request_there_is_no_subscription(answer):
    """Silence, no, or an answer to something else."""
    subscriber = a_subscriber()
    subscriber.begin(0.0)
    if answer is not None:
        subscriber.receive(json.dumps({"subscribeResponse": answer}).encode(), 1.0)
    subscriber.tick(10.0)

    assert "" == subscriber.subscription
    assert subscriber.closing


# ---- hostile octets


def mutated(runs, seed=7):
    """Spoilt messages to both roles: nothing but answers, never more than one receipt, never a crash."""
    random = Random(seed)
    event = b'{"event":{"subscriptionId":"sub1234","transactionId":"t1","notification":[{"$id":"a"}]}}'
    seeds = [
        *PUBLISHED.values(),
        event,
        subscribe(requestSubType="single", incidentId=PANIC.id),
        respond("C1.m1@x.example"),
    ]
    notifier, subscriber = a_notifier(PANIC), a_subscriber()
    notifier.receive(subscribe(), 0.0)
    subscriber.begin(0.0)
    refused = 0
    for _ in range(runs):
        octets = bytearray(random.choice(seeds))
        for _ in range(random.choice((1, 2, 8))):
            at = random.randrange(len(octets))
            match random.randrange(4):
                case 0:
                    octets[at] = random.randrange(256)
                case 1:
                    del octets[at : at + random.randrange(1, 20)]
                case 2:
                    octets[at:at] = random.choice((b"{", b'"', b"null", b"1e999", b"9" * 400, b"\\u0000"))
                case _:
                    octets[at] ^= 1 << random.randrange(8)
            octets = octets or bytearray(b"{")
        data = bytes(octets)
        try:
            conveyance.decode(data)
        except Malformed:
            refused += 1
        notifier.receive(data, 1.0)
        notifier.tick(1.0)
        assert not [
            each for each in notifier.noticed() if isinstance(each, Answered) and "C0001" in each.frames
        ]
        subscriber.receive(data, 1.0)
        subscriber.tick(1.0)
        if notifier.closing or len(notifier.outgoing()) > 200:
            notifier = a_notifier(PANIC)
            notifier.receive(subscribe(), 0.0)
        subscriber.outgoing()
        if subscriber.closing:
            subscriber = a_subscriber()
            subscriber.begin(0.0)
    return refused


def test_mutated_messages_are_malformed_or_answered():
    """Twenty thousand of them."""
    assert mutated(20_000) > 10_000


@pytest.mark.soak
def test_a_million_mutated_messages():
    """The same, longer."""
    assert mutated(1_000_000, seed=8) > 500_000

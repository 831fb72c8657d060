"""CAP alerts that `check` finds in order: any number of odd ones drawn by chance, and a plain one to bend."""

from belltower.clock import SECOND, Instant
from gateway.psap.cap import (
    Alert,
    Area,
    Category,
    Certainty,
    Circle,
    Info,
    MessageType,
    Named,
    Reference,
    Resource,
    ResponseType,
    Scope,
    Severity,
    Status,
    Time,
    Urgency,
)

AT = Time(Instant(1_795_307_554 * SECOND))
LATER = Time(Instant(1_795_311_154 * SECOND))

# What XML escapes, what lists split at, letters of one to four octets.
LETTERS = "aZ09 &<>\"'\r\n\t,;]=-é€中𝄞\x7f\ufeff"
NUMBERS = (0.0, -0.0, 1e-7, 5e-324, 0.1 + 0.2, 1 / 3, 41.772035, 89.99999999999999)


class Shapes:
    """Draws records; the same chance, the same records."""

    def __init__(self, random):
        self.random = random

    def text(self):
        return "".join(self.random.choices(LETTERS, k=self.random.randrange(8)))

    def filled(self):
        return self.text() + self.random.choice("x€<")

    def token(self):
        return "".join(self.random.choices("aZ09@._:/-", k=self.random.randint(1, 9)))

    def item(self):
        return self.filled().replace('"', "'")

    def maybe(self, draw):
        return draw() if self.random.random() < 0.5 else None

    def many(self, draw, least=0):
        return tuple(draw() for _ in range(self.random.randint(least, least + 2)))

    def of(self, kind):
        return self.random.choice(list(kind))

    def time(self):
        at = Instant(self.random.randint(60 * 900, 4_000_000_000) * SECOND)
        return Time(at, self.random.choice([0, 0, -360, 345, 840, -840, self.random.randint(-840, 840)]))

    def number(self, least, most):
        chosen = (
            self.random.choice(NUMBERS) if self.random.random() < 0.3 else self.random.uniform(least, most)
        )
        return min(max(chosen, least), most)

    def point(self):
        return self.number(-90, 90), self.number(-180, 180)

    def named(self):
        return Named(self.filled(), self.text())

    def polygon(self):
        points = self.many(self.point, least=3)
        return (*points, points[0])

    def area(self):
        low = self.maybe(lambda: self.number(-1e6, 1e6))
        return Area(
            description=self.filled(),
            polygons=self.many(self.polygon),
            circles=self.many(lambda: Circle(self.point(), self.number(0, 20_000))),
            geocodes=self.many(self.named),
            altitude=low,
            ceiling=None if low is None else self.maybe(lambda: low + self.number(0, 1e22)),
        )

    def resource(self):
        return Resource(
            description=self.filled(),
            mime_type=self.filled(),
            size=self.maybe(lambda: self.random.randrange(10**12)),
            uri=self.random.choice(["", "https://school.example/a?b=1&c=2", "cid:a@b"]),
            content=self.random.choice(["", "aGk="]),
            digest=self.random.choice(["", "0f" * 20]),
        )

    def info(self):
        effective, expires = sorted((self.time(), self.time()), key=lambda time: time.at)
        return Info(
            categories=self.many(lambda: self.of(Category), least=1),
            event=self.filled(),
            urgency=self.of(Urgency),
            severity=self.of(Severity),
            certainty=self.of(Certainty),
            language=self.random.choice(["en-US", "es-US", "zh-Hans", "de"]),
            responses=self.many(lambda: self.of(ResponseType)),
            audience=self.text(),
            event_codes=self.many(self.named),
            effective=self.maybe(lambda: effective),
            onset=self.maybe(self.time),
            expires=self.maybe(lambda: expires),
            sender_name=self.text(),
            headline=self.text(),
            description=self.text(),
            instruction=self.text(),
            web=self.random.choice(["", "https://school.example/a?b=1&c=2", "urn:x:y"]),
            contact=self.text(),
            parameters=self.many(self.named),
            resources=self.many(self.resource),
            areas=self.many(self.area, least=1),
        )

    def reference(self):
        return Reference(sender=self.token(), identifier=self.token(), sent=self.time())

    def alert(self):
        kind = self.of(MessageType)
        scope = self.of(Scope)
        return Alert(
            identifier=self.token(),
            sender=self.token(),
            sent=self.time(),
            status=self.of(Status),
            type=kind,
            scope=scope,
            source=self.text(),
            restriction=self.filled() if scope is Scope.RESTRICTED else "",
            addresses=self.many(self.item, least=int(scope is Scope.PRIVATE)),
            codes=self.many(self.filled),
            note=self.text(),
            references=self.many(self.reference, least=int(kind is not MessageType.ALERT)),
            incidents=self.many(self.item),
            infos=self.many(self.info, least=1),
        )


def plain_area(**changes):
    """An area in order."""
    return Area(**{"description": "Lincoln High School", **changes})


def plain_info(**changes):
    """An info in order."""
    base = {
        "categories": (Category.SECURITY,),
        "event": "Panic alarm",
        "urgency": Urgency.IMMEDIATE,
        "severity": Severity.EXTREME,
        "certainty": Certainty.LIKELY,
        "areas": (plain_area(),),
    }
    return Info(**{**base, **changes})


def plain(**changes):
    """An alert in order."""
    base = {
        "identifier": "LHS-1",
        "sender": "desk@lhs.example",
        "sent": AT,
        "status": Status.ACTUAL,
        "type": MessageType.ALERT,
        "scope": Scope.PUBLIC,
        "infos": (plain_info(),),
    }
    return Alert(**{**base, **changes})

"""Frames spoilt at random, for tests that nothing but `Malformed` comes of them."""

from random import Random


def mutated(random: Random, octets: bytes) -> bytes:
    """`octets` with one to four of them changed, doubled, dropped, swapped, cut off or put elsewhere."""
    spoilt = bytearray(octets)
    for _ in range(random.randrange(1, 5)):
        if not spoilt:
            break
        at = random.randrange(len(spoilt))
        match random.randrange(7):
            case 0:
                spoilt[at] ^= 1 << random.randrange(8)
            case 1:
                spoilt[at] = random.randrange(256)
            case 2:
                del spoilt[at : at + random.randrange(1, 9)]
            case 3:
                spoilt[at:at] = spoilt[at : at + random.randrange(1, 40)]
            case 4:
                spoilt[at:at] = random.choice(
                    [b"\r\n", b"\r", b"\n", b"\0", b":", b'"', b"<", b"\xff", b"--"]
                )
            case 5:
                del spoilt[at:]
            case _:
                other = random.randrange(len(spoilt))
                spoilt[at], spoilt[other] = spoilt[other], spoilt[at]
    return bytes(spoilt)

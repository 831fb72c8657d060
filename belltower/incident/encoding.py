"""Facts to and from their JSON bodies, for the journal and the lanes' socket."""

from __future__ import annotations

from typing import get_args

import msgspec

from belltower.incident import facts
from belltower.incident.facts import Fact, UnknownFact

_TYPES: dict[str, type[Fact]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(Fact) if kind is not UnknownFact
}
_TAGS: dict[type, str] = {kind: tag for tag, kind in _TYPES.items()}
_encoder = msgspec.json.Encoder(order="deterministic")
_decoders: dict[str, msgspec.json.Decoder[Fact]] = {
    tag: msgspec.json.Decoder(kind) for tag, kind in _TYPES.items()
}


class FactEncoding:
    """Satisfies `belltower.journal.FactCodec` for the house's facts."""

    def encode(self, fact: Fact) -> tuple[str, bytes]:
        """The fact's tag and its body: deterministic JSON, the tag inside as `type`."""
        if isinstance(fact, UnknownFact):
            return fact.unknown_tag, fact.raw
        return _TAGS[type(fact)], _encoder.encode(fact)

    def decode(self, tag: str, body: bytes) -> Fact:
        """The fact. An unknown tag, or a body that a newer version changed, becomes `UnknownFact`."""
        decoder = _decoders.get(tag)
        if decoder is None:
            return facts.UnknownFact(unknown_tag=tag, raw=body)
        try:
            return decoder.decode(body)
        except msgspec.ValidationError:
            return facts.UnknownFact(unknown_tag=tag, raw=body)


def tag_of(kind: type[Fact]) -> str:
    """The tag that facts of this type bear."""
    return _TAGS[kind]

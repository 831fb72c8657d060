"""The lane itself."""

from __future__ import annotations

from msgspec import Struct


class LaneStarted(Struct, frozen=True, kw_only=True, tag="lane.started"):
    """A lane began to run under this revision of the site package."""

    lane: str
    revision: str
    version: str


class RecordingFailed(Struct, frozen=True, kw_only=True, tag="recording.failed"):
    """The journal could not keep what happened; alarms go out all the same."""

    reason: str


class RecordingRestored(Struct, frozen=True, kw_only=True, tag="recording.restored"):
    """The journal keeps what happens again."""


LaneFact = LaneStarted | RecordingFailed | RecordingRestored

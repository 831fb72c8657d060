"""The texts of one language, as its file gives them."""

from __future__ import annotations

from msgspec import Struct

from notify.wording.values import Clock


class Template(Struct, frozen=True, kw_only=True):
    """One thing to say, in the form each kind of channel takes."""

    sms: str
    console: str
    # Of the e-mail.
    subject: str
    body: str
    voice: str = ""
    push: str = ""
    paging: str = ""
    sign: str = ""

    def form(self, name: str) -> str:
        """The text of that form; where it lacks, what is on the consoles, and it is as short."""
        text: str = getattr(self, name, "")
        return text or self.console


class Wording(Struct, frozen=True, kw_only=True):
    """The texts of one language; `templates` by name, `staff-action.lockdown` for those of one action."""

    language: str
    mark: str
    unknown_place: str
    campus: str
    actions: dict[str, str]
    templates: dict[str, Template]
    # What {cause} becomes, by name.
    causes: dict[str, str] = {}
    unknown_cause: str = ""
    unknown_site: str = ""
    unknown_next: str = ""
    # The line for people whose language has no approved text; it names {phone}.
    interpreter: str = ""
    clock: Clock = Clock()
    # Patterns of `notify.wording.phrases`, by what they are looked for.
    lists: dict[str, tuple[str, ...]] = {}

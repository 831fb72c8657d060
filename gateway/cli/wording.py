"""`belltower wording`: what people read, checked, shown, measured and approved."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from belltower.errors import SettingsError
from gateway.cli.output import count, emit, json_option, table

if TYPE_CHECKING:
    from notify.wording import Slots, WordingSet

_SAMPLE = {
    "school": "Jefferson Elementary School",
    "place": "B 204",
    "time": "09:14",
    "incident": "17",
    "url": "https://bell.example.org/i/17",
    "cause": "police",
    "next": "09:45",
    "phone": "+15550100100",
    "site": "Lakeside Church",
    "former": "Town Hall",
    "code": "",
}
_CHANNELS = ("sms", "voice", "email", "push", "paging", "sign", "console")

site_option = click.option(
    "--site",
    type=click.Path(file_okay=False, path_type=Path),
    help="A site package; without one the texts that ship.",
)


@click.group(short_help="What people read: check, show, measure and approve it.")
def command() -> None:
    """Check, show, measure and approve what people read.

    \b
    Examples:
      belltower wording check --site site
      belltower wording matrix --site site --language es
      belltower wording show families.lockdown.now --channel voice --language es
      belltower wording approve es --site site --name "Ana Ruiz"
      belltower wording segments "Cierre su salón"
    """


@command.command("check", short_help="Lint every text; list every fault.")
@site_option
@json_option
def check(site: Path | None, *, as_json: bool) -> None:
    """Lint every text as `belltower check` does: contents, phrases, reading grade, slots, lengths, approvals.

    Exits with 1 when anything is at fault.
    """
    faults: list[str] = []
    texts: WordingSet | None = None
    try:
        texts = _texts(site)
    except SettingsError as error:
        faults += str(error).splitlines()
    if texts is not None:
        from notify.wording import all_faults

        faults += all_faults(texts)
    for fault in faults:
        if as_json:
            emit({"fault": fault})
        else:
            click.echo(fault)
    if faults or texts is None:
        raise click.exceptions.Exit(1)
    from notify.wording import approved, unread, void

    doubts = unread(texts)
    counts = {
        language: {
            "texts": len(wording.templates),
            "approved": len(approved(texts, language)),
            "unread": doubts.get(language, ""),
        }
        for language, wording in texts.languages.items()
    }
    gone = [f"{one.language} {one.template}" for one in void(texts)]
    if as_json:
        emit({"languages": counts, "void": gone})
        return
    for language, told in counts.items():
        source = " (the source of the others)" if language == texts.source.language else ""
        click.echo(f"{language}{source}: {told['texts']} texts in order, {told['approved']} approved")
        if told["unread"]:
            click.echo(f"remark: {language}: {told['unread']}")
    for one in gone:
        click.echo(f"remark: {one}: the text has changed since it was approved")


@command.command("show", short_help="One text, filled as it would be sent.")
@click.argument("template")
@site_option
@click.option("--channel", type=click.Choice(_CHANNELS), default="sms", show_default=True)
@click.option("--language", default="en", show_default=True, help="What the reader reads.")
@click.option("--exercise", is_flag=True, help="As it is said in an exercise.")
@click.option("--draft", is_flag=True, help="The text of that language though nobody has approved it.")
@click.option("--set", "values", multiple=True, metavar="SLOT=VALUE", help="What stands in a slot.")
@json_option
def show(
    template: str,
    *,
    site: Path | None,
    channel: str,
    language: str,
    exercise: bool,
    draft: bool,
    values: tuple[str, ...],
    as_json: bool,
) -> None:
    """Fill one text with samples, and say how long it is and how hard to read."""
    from belltower.incident.facts import Mode
    from notify.segments import segments

    texts = _texts(site)
    if not texts.knows(template):
        raise click.UsageError(f'there is no template "{template}"; see: belltower wording matrix')
    ask = texts.render if draft else texts.said
    text = ask(
        template=template,
        channel=channel,
        language=language,
        mode=Mode.EXERCISE if exercise else Mode.ACTUAL,
        slots=_slots(template, values),
    )
    measured = segments(text.body)
    told = {
        "language": text.language,
        "subject": text.subject,
        "body": text.body,
        "characters": len(text.body),
        "alphabet": measured.alphabet.value,
        "units": measured.units,
        "parts": measured.parts,
        "why": _why_another(texts, template, wanted=language, said=text.language),
    }
    if as_json:
        emit(told)
        return
    if text.subject:
        click.echo(f"{text.subject}\n")
    click.echo(text.body)
    cost = (
        f", {count(measured.parts, 'part')} of {measured.alphabet} ({measured.units} units)"
        if channel == "sms"
        else ""
    )
    click.echo(f"\n[{text.language}] {len(text.body)} characters{cost}")
    if told["why"]:
        click.echo(f"remark: {told['why']}")


@command.command("matrix", short_help="Every text of a language: its length, its grade, who answers for it.")
@site_option
@click.option("--language", default="en", show_default=True)
@json_option
def matrix(site: Path | None, language: str, *, as_json: bool) -> None:
    """One line a template: parts of the short message when filled, grade of the e-mail, forms that lack, approval."""
    from notify.wording import cells, forms_of, grade, void

    texts = _texts(site)
    if language not in texts.languages:
        raise click.UsageError(f'there are no texts in "{language}"; there are {", ".join(texts.languages)}')
    wording = texts.languages[language]
    gone = void(texts)
    rows = []
    for name in dict.fromkeys((*cells(), *wording.templates)):
        template = wording.templates.get(name)
        if template is None:
            rows.append((name, "-", "-", "everything", "no"))
            continue
        lacks = [form for form in forms_of(name) if not getattr(template, form)]
        grades = grade.reading(template.body, language=language).grades.values()
        names = [
            f"{one.name} (invented, of the example)" if one.example else one.name
            for one in texts.approvals
            if one.language == language and one.template == name and one not in gone
        ]
        changed = any(one.language == language and one.template == name for one in gone)
        who = names[-1] if names else "the texts have changed" if changed else "no"
        rows.append(
            (
                name,
                str(_parts(texts, name, language)),
                f"{max(grades):.1f}" if grades else "",
                ", ".join(lacks),
                "the source" if wording is texts.source and not names else who,
            )
        )
    columns = ("template", "SMS parts", "grade", "lacks", "approved by")
    if as_json:
        for row in rows:
            emit(dict(zip(columns, row, strict=True)))
        return
    table(f"Texts in {language}", columns, rows)


@command.command("approve", short_help="Answer for translations, by name and date.")
@click.argument("language")
@click.option(
    "--site",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="The site package.",
)
@click.option("--name", required=True, help="Who has read the texts and answers for them.")
@click.option(
    "--template", "templates", multiple=True, help="Only these; otherwise all texts of the language."
)
@click.option("--date", "date", type=click.DateTime(["%Y-%m-%d"]), help="The day; otherwise today.")
@click.option(
    "--example", is_flag=True, help="NAME is invented and has read nothing: it holds in a rehearsal only."
)
def approve(
    language: str,
    *,
    site: Path,
    name: str,
    templates: tuple[str, ...],
    date: dt.datetime | None,
    example: bool,
) -> None:
    """Write into the site package's wording/approvals.toml that NAME answers for the texts as they stand.

    A change of one character in the source or in the translation makes an approval void, and people read the source
    and the interpreter's number until somebody approves again.
    """
    from belltower.clock import SystemClock, aware
    from notify.wording import WORDS, approvals, approving

    texts = _texts(site, unapproved=True)
    wording = texts.languages.get(language)
    if wording is None:
        raise click.UsageError(f'there are no texts in "{language}"; there are {", ".join(texts.languages)}')
    if not name.strip():
        raise click.UsageError("--name is empty; write who answers for the texts")
    known = (WORDS, *wording.templates)
    if unknown := [one for one in templates if one not in known]:
        raise click.UsageError(f'there is no template "{unknown[0]}" in {language}')
    day = date.date() if date is not None else aware(SystemClock().now()).date()
    chosen = templates or known
    after = approving.approve(
        texts, language=language, templates=chosen, name=name.strip(), date=day, example=example
    )
    file = site / "wording" / approvals.FILE
    file.parent.mkdir(exist_ok=True)
    fresh = file.with_suffix(".toml.new")
    fresh.write_text(approvals.written(after.approvals), encoding="utf-8")
    fresh.replace(file)
    click.echo(f"{file}: {name.strip()} answers for {len(chosen)} texts in {language}, {day.isoformat()}")
    if templates and WORDS not in templates and not after.answered(language, WORDS):
        click.echo(
            f'remark: nothing is sent in {language} before "{WORDS}" is approved too: what all its texts share'
        )


@command.command("segments", short_help="How many parts a short message takes, and why.")
@click.argument("text", required=False)
@json_option
def segments_of(text: str | None, *, as_json: bool) -> None:
    """Measure TEXT, or standard input, as the network will carry it."""
    from notify.segments import dear, segments

    said = text if text is not None else sys.stdin.read().removesuffix("\n")
    measured = segments(said)
    forcing = dear(said)
    if as_json:
        emit(
            {
                "alphabet": measured.alphabet.value,
                "units": measured.units,
                "parts": measured.parts,
                "characters": len(said),
                "forcing": forcing,
            }
        )
        return
    click.echo(
        f"{measured.parts} parts: {measured.units} units of {measured.alphabet}, {len(said)} characters"
    )
    if forcing:
        click.echo(f"these make every character cost twice: {' '.join(forcing)}")


def _texts(site: Path | None, *, unapproved: bool = False) -> WordingSet:
    if site is None:
        from notify import words

        return words.default(linted=True)
    from gateway.site_package import load
    from gateway.site_package.wording import load_wording

    return load_wording(site) if unapproved else load(site).wording


def _slots(template: str, values: tuple[str, ...]) -> Slots:
    from notify.wording import SITE, Slots

    given = dict(_SAMPLE)
    parts = template.split(".")
    given["action"] = parts[1] if len(parts) > 1 and parts[1] != SITE else "lockdown"
    for one in values:
        name, sign, value = one.partition("=")
        if not sign or name not in given:
            raise click.UsageError(f'--set "{one}": write SLOT=VALUE, with one of {", ".join(sorted(given))}')
        given[name] = value
    return Slots(**given)


def _why_another(texts: WordingSet, template: str, *, wanted: str, said: str) -> str:
    """Why the text is in another language than was wanted; "": it is not."""
    base = wanted.partition("-")[0]
    if said.partition("-")[0] == base:
        return ""
    known = next((one for one in (wanted, base) if one in texts.languages), None)
    if known is None or template not in texts.languages[known].templates:
        return f'there is no text of {template} in "{wanted}"'
    return (
        f'nobody has approved this text of {template} in "{known}" as it stands; read it with --draft, and approve it with:'
        f" belltower wording approve {known}"
    )


def _parts(texts: WordingSet, template: str, language: str) -> int:
    from belltower.incident.facts import Mode
    from notify.segments import segments
    from notify.wording import exercise_only

    mode = Mode.EXERCISE if exercise_only(template) else Mode.ACTUAL
    text = texts.render(
        template=template, channel="sms", language=language, mode=mode, slots=_slots(template, ())
    )
    return segments(text.body).parts

"""The texts of a site package: own words, approvals, and one lint everywhere (W6, W8, W12, W28)."""

import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from belltower.errors import SettingsError
from belltower.ids import IncidentId
from belltower.incident.facts import Action, Mode, OutputOrdered
from gateway import kept_site
from gateway.cli.commands import belltower
from gateway.demo.school import write_settings
from gateway.demo.wires import Ports
from gateway.desk_channels import notice_site
from gateway.outputs.texts import announcement, sign, text
from gateway.settings import load as settings_in
from gateway.site_package import load
from gateway.site_package.wording import languages
from notify import words
from notify.wording import Slots, WordingSet, approved, cells, for_families, unread, void

EXAMPLE = Path(__file__).parents[2] / "examples" / "site"
OWN = Path(__file__).parents[1] / "golden" / "wording"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A copy of the example that a test may spoil."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "site"))


def run(*words: str, code: int = 0) -> str:
    """`belltower wording WORDS`."""
    result = CliRunner().invoke(belltower, ["wording", *words])
    assert code == result.exit_code, result.output
    return result.output


def test_the_examples_spanish_is_approved_as_it_stands() -> None:
    """After a change: belltower wording approve es --site examples/site --name "Elena Vega" --date .. --example."""
    wording = replace(load(EXAMPLE).wording, rehearsal=True)

    assert [] == [one.template for one in void(wording)]
    assert set() == {name for name in cells() if for_families(name)} - set(approved(wording, "es"))


def test_w6_the_examples_approvals_are_marked_and_told_of_until_somebody_has_read_the_texts(
    site: Path,
) -> None:
    """A school that begins with a copy of the example is told that its Spanish is not sent; a name ends that."""
    copied = load(site).wording
    before = run("check", "--site", str(site))
    (row,) = [
        json.loads(line)
        for line in run("matrix", "--site", str(site), "--language", "es", "--json").splitlines()
        if '"families.hold.now"' in line
    ]
    run("approve", "es", "--site", str(site), "--name", "Ana Ruiz", "--template", "families.hold.now")
    partly = run("check", "--site", str(site))
    run("approve", "es", "--site", str(site), "--name", "Ana Ruiz")
    after = run("check", "--site", str(site))

    assert all(one.example for one in copied.approvals)
    told = (
        "remark: es: approved only as an example, by an invented person: who reads it gets the source and the"
    )
    assert told in before
    assert "remark: es: approved only as an example" in partly
    assert "remark" not in after
    assert "Elena Vega (invented, of the example)" == row["approved by"]
    assert {} == unread(load(site).wording)


SLOTS = Slots(school="Lindenfield School", place="", time="09:14", phone="+15550100100")


def tongue(wording: WordingSet, *, mode: Mode = Mode.ACTUAL, template: str = "families.hold.update") -> str:
    """The tag of what a reader of Spanish gets."""
    return wording.said(template=template, channel="sms", language="es", mode=mode, slots=SLOTS).language


@pytest.mark.parametrize("mode", Mode)
def test_w6_an_invented_approval_lets_nothing_out_for_real(mode: Mode) -> None:
    """Neither in an exercise, whose texts reach people too; the check counts none of them."""
    package = load(EXAMPLE)

    assert "en-x-es" == tongue(notice_site(package, url="").wording, mode=mode)
    assert "es" == tongue(notice_site(package, url="", rehearsal=True).wording, mode=mode)
    assert any(one.startswith("es (0 of") for one in languages(package.wording))


def test_w6_the_demo_is_a_rehearsal_and_says_spanish(tmp_path: Path) -> None:
    """Its far ends are all simulated, and the settings that it writes say so."""
    ports = Ports(*range(2_001, 2_006))
    ends = {"sip": "127.0.0.1:2006", "eido": "ws://127.0.0.1:2006/x", "dc09": "127.0.0.1:2006"}
    carrier = {"url": "http://127.0.0.1:2007", "smtp_port": 2_008}
    file = write_settings(tmp_path, EXAMPLE, line="/dev/null", roads=ends, carrier=carrier, ports=ports)
    settings = settings_in(file, secrets=False)
    site = notice_site(load(EXAMPLE), url="", rehearsal=settings.notices.rehearsal)

    assert "es" == tongue(site.wording)
    assert unread(site.wording)["es"].endswith("it is said to simulated far ends only")
    real = file.read_text(encoding="utf-8").replace('host = "127.0.0.1"', 'host = "mail.school.example"')
    file.write_text(real, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"notify\.channels\.mail: reaches people, and notify\.rehearsal"):
        settings_in(file, secrets=False)


def test_w6_languages_that_nobody_has_approved_are_named(site: Path) -> None:
    """By `belltower wording` and by `belltower check`, in words that say what people read instead."""
    (site / "wording" / "approvals.toml").unlink()
    said = json.loads(run("check", "--site", str(site), "--json"))["languages"]["es"]

    assert 0 == said["approved"]
    assert said["unread"].startswith("nobody has approved these texts: who reads it gets the source")
    assert {"es": said["unread"]} == unread(load(site).wording)


def test_w6_a_change_of_the_source_takes_its_translation_out_of_use(site: Path) -> None:
    """The check says so; whoever reads Spanish gets the new English and the number to call."""
    run("approve", "es", "--site", str(site), "--name", "Ana Ruiz")
    (site / "wording" / "en.toml").write_text(
        'language = "en"\n[families.hold.now]\nsign = "STAY IN YOUR OWN ROOM"', encoding="utf-8"
    )
    wording = load(site).wording

    assert "en-x-es" == tongue(wording, template="families.hold.now")
    assert "es" == tongue(wording)
    assert "remark: es families.hold.now: the text has changed since" in run("check", "--site", str(site))
    run("approve", "es", "--site", str(site), "--name", "Ana Ruiz", "--template", "families.hold.now")
    assert [] == void(load(site).wording)
    shown = [
        json.loads(line)
        for line in run("matrix", "--site", str(site), "--language", "es", "--json").splitlines()
    ]
    assert ["Ana Ruiz"] == [row["approved by"] for row in shown if row["template"] == "families.hold.now"]


def test_a_district_may_want_a_name_beside_the_source_too(site: Path) -> None:
    """Without one the package is refused with the command that mends it."""
    file = site / "site.toml"
    file.write_text(
        file.read_text(encoding="utf-8").replace("[wording]", "[wording]\napprove_source = true"),
        encoding="utf-8",
    )
    with pytest.raises(SettingsError, match="nobody answers for [0-9]+ texts in en"):
        load(site)

    run("approve", "en", "--site", str(site), "--name", "Ana Ruiz", "--date", "2026-11-20")

    assert load(site).wants.approve_source


FAULTY = (
    'language = "en"\n[families.hold.now]\nsms = "{school}: All students are safe, {time}. Stay home. {next}"'
)


def test_w12_one_lint_in_the_package_and_on_the_command_line(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same fault, word for word; a package that has one is refused whole."""
    (site / "wording" / "en.toml").write_text(FAULTY, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(site)
    faults = str(caught.value).splitlines()

    assert (
        "site/wording/en.toml: [families.hold.now] sms: says 'all students are safe', which no automatic text may promise;"
        " remove it" in faults
    )
    assert faults == run("check", "--site", str(site), code=1).splitlines()
    monkeypatch.chdir(tmp_path)
    settings = (EXAMPLE.parents[1] / "config.example.toml").read_text(encoding="utf-8")
    (tmp_path / "config.toml").write_text(settings, encoding="utf-8")
    checked = CliRunner().invoke(
        belltower, ["check", "--config", "config.toml", "--site", str(site), "--without-secrets", "--json"]
    )
    told = [json.loads(line)["message"] for line in checked.output.splitlines()]
    assert any("which no automatic text may promise" in message for message in told)


def test_w12_what_was_in_force_stays_so_under_a_stricter_lint(site: Path, tmp_path: Path) -> None:
    """A faulty revision is refused whole; the kept one serves, though a newer program would not take it anew."""
    kept = tmp_path / "site.good.zip"
    good, _ = kept_site.load(site, kept)
    with zipfile.ZipFile(kept, "a") as archive:
        archive.writestr("wording/en.toml", FAULTY)
    (site / "wording" / "en.toml").write_text(FAULTY, encoding="utf-8")

    package, why = kept_site.load(site, kept)

    assert "site/wording/en.toml" in why
    assert good.revision != package.revision
    assert "safe" in package.wording.source.templates["families.hold.now"].sms


def test_w26_a_page_under_a_foreign_domain_is_a_fault(site: Path, tmp_path: Path) -> None:
    """Of the settings, for they name the page that notices point at."""
    file = site / "site.toml"
    file.write_text(
        file.read_text(encoding="utf-8").replace("[wording]", '[wording]\ndomains = ["other.example"]'),
        encoding="utf-8",
    )
    settings = (EXAMPLE.parents[1] / "config.example.toml").read_text(encoding="utf-8")
    (tmp_path / "config.toml").write_text(settings, encoding="utf-8")

    checked = CliRunner().invoke(
        belltower,
        ["check", "--config", str(tmp_path / "config.toml"), "--site", str(site), "--without-secrets"],
    )

    assert "none of your domains (other.example)" in str(checked.exception)


def test_w12_what_ships_passes_the_same_check() -> None:
    """And says how many texts there are, and how many a person answers for."""
    shipped = {language: len(texts.templates) for language, texts in words.default().languages.items()}

    assert f"es: {shipped['es']} texts in order, 0 approved" in run("check")
    assert shipped == {
        language: count["texts"]
        for language, count in json.loads(run("check", "--json"))["languages"].items()
    }


@pytest.mark.parametrize("own", ["idaho-like.toml", "new-york-like.toml"])
def test_w1_a_package_with_another_vocabulary_is_in_order(site: Path, own: str) -> None:
    """Its own words are read, and its Spanish waits for an approval where English has changed."""
    shutil.copy(OWN / own, site / "wording" / "en.toml")

    assert "en (the source of the others): " in run("check", "--site", str(site))


def test_texts_are_shown_as_they_would_be_sent(site: Path) -> None:
    """Filled, in the reader's language, with what they cost."""
    run("approve", "es", "--site", str(site), "--name", "Ana Ruiz")
    shown = run("show", "families.hold.now", "--site", str(site), "--language", "es-MX", "--set", "cause=gas")
    voice = run(
        "show", "families.lockdown.now", "--channel", "voice", "--language", "es", "--draft", "--exercise"
    )

    assert "Desde las 9:14 AM, los alumnos permanecen en sus salones por olor a gas." in shown
    assert "[es] " in shown
    assert re.search(r"\b(1 part|[2-9] parts) of gsm7", shown)
    assert "remark" not in shown
    assert voice.startswith("SIMULACRO SIMULACRO SIMULACRO: Jefferson Elementary School llama")
    assert "there is no template" in run("show", "nonsense", code=2)
    unanswered = run("show", "families.lockdown.now", "--channel", "voice", "--language", "es")
    assert 'remark: nobody has approved this text of families.lockdown.now in "es"' in unanswered
    assert 'remark: there is no text of families.lockdown.now in "fr"' in run(
        "show", "families.lockdown.now", "--language", "fr"
    )
    assert "write SLOT=VALUE" in run("show", "test", "--set", "x=y", code=2)


def test_a_short_message_is_measured_and_what_makes_it_dear_is_named() -> None:
    """As the network carries it."""
    assert "1 parts: 15 units of ucs2, 15 characters\nthese make every character cost twice: ó\n" == run(
        "segments", "Cierre su salón"
    )
    assert {"alphabet": "gsm7", "units": 4, "parts": 1, "characters": 3, "forcing": []} == json.loads(
        run("segments", "a{b", "--json")
    )


def test_w28_secure_and_lockdown_sound_and_read_apart_on_every_output() -> None:
    """Loudspeakers, their tones, and signs."""
    orders = [
        OutputOrdered(output="o", incident=IncidentId("inc_1"), mode=Mode.ACTUAL, on=True, action=action)
        for action in (Action.SECURE, Action.LOCKDOWN)
    ]
    secure, lockdown = (text(announcement(order, None)) for order in orders)

    assert secure[0] != lockdown[0]
    assert not {words.text for words in secure[1:]} & {words.text for words in lockdown[1:]}
    assert sign(orders[0]) != sign(orders[1])

"""One file wires a house; a faulty one is refused whole, with every fault named."""

import random
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import pytest
from msgspec import Struct

from belltower.errors import SettingsError
from belltower.ids import PlaceId
from belltower.values import Secret
from gateway import settings as rooms
from gateway.intake.devices.settings import DEVICE_WAYS
from gateway.outputs.settings import OUTPUTS
from gateway.psap.settings import LINKS
from gateway.settings import Settings, load
from hardware.drivers.page_settings import SpeechSettings
from notify.settings import CHANNELS, NoticeSettings

ROOT = Path(__file__).parents[2]
MINIMAL = """
[psap.links.county]
kind = "kiss"
url = "tcp://127.0.0.1:8001"
from = "SCHOOL-1"
to = "COUNTY"
key = { env = "COUNTY_KEY" }
"""


def settings(folder: Path, text: str, **environ: str) -> Settings:
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ={"COUNTY_KEY": "0a" * 32, **environ})


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        settings(folder, text)
    return [line.replace(f"{folder}/", "") for line in str(caught.value).splitlines()]


def test_a_short_file_is_enough(tmp_path: Path) -> None:
    """One link; everything else has a default beside the file."""
    house = settings(tmp_path, MINIMAL)

    assert ["county"] == list(house.psap_links)
    assert "0a" * 32 == house.psap_links["county"].key.reveal()
    assert tmp_path / "site" == house.site.folder
    assert f"sqlite://{tmp_path}/var/alarm.db" == house.alarm_url
    assert f"sqlite://{tmp_path}/var/desk.db" == house.desk_url
    assert tmp_path / "var/control.sock" == house.state.control
    assert tmp_path / "var/units.keys" == house.unit_keys
    assert house.alarm.mqtt_listener is not None
    assert ("127.0.0.1", 1883) == (house.alarm.mqtt_listener.bind, house.alarm.mqtt_listener.tcp_port)


def test_the_example_names_every_key_there_is() -> None:
    """Whoever reads config.example.toml has seen all of it."""
    example = msgspec.toml.decode((ROOT / "config.example.toml").read_bytes())
    load(ROOT / "config.example.toml", environ={}, secrets=False)

    records: list[tuple[str, type[Struct], dict[str, Any]]] = [
        ("site", rooms.SiteSettings, example["site"]),
        ("state", rooms.StateSettings, example["state"]),
        ("alarm", rooms.AlarmSettings, example["alarm"]),
        ("desk", rooms.DeskSettings, example["desk"]),
        ("log", rooms.LogSettings, example["log"]),
        ("notify", NoticeSettings, example["notify"]),
        ("speech", SpeechSettings, example["speech"]),
    ]
    for kinds, tables in (
        (LINKS, example["psap"]["links"]),
        (CHANNELS, example["notify"]["channels"]),
        (OUTPUTS, example["outputs"]),
        (DEVICE_WAYS, example["alarm"]["devices"]),
    ):
        for kind, record in kinds.items():
            shown = [table for table in tables.values() if table["kind"] == kind]
            assert shown, f"no example of kind {kind}"
            records.append((kind, record, shown[0]))
    missing = []
    while records:
        at, record, table = records.pop()
        for field in msgspec.structs.fields(record):
            if field.encode_name not in table:
                missing.append(f"{at}.{field.encode_name}")
            elif inner := inner_record(field.type):
                below = table[field.encode_name]
                records.append(
                    (field.encode_name, inner, next(iter(below.values())) if is_named(field.type) else below)
                )
    assert [] == missing


def is_named(kind: Any) -> bool:
    return get_origin(kind) is dict


def inner_record(kind: Any) -> type[Struct] | None:
    for part in (kind, *get_args(kind)):
        if isinstance(part, type) and issubclass(part, Struct):
            return part
    return None


def test_every_faulty_table_is_reported_together(tmp_path: Path) -> None:
    """Faults in five tables come in one message, by file and key."""
    text = """
    sites = 1
    [log]
    level = "loud"
    [alarm]
    spool_after = "soon"
    [alarm.mqtt_listener]
    prot = 1
    [psap.links.county]
    kind = "kiss"
    url = "tcp://127.0.0.1:8001"
    form = "SCHOOL-1"
    to = "COUNTY"
    key = "0123"
    [notify.channels.mail]
    kind = "smpt"
    """

    assert [
        'config.toml: sites: unknown key; did you mean "site"?',
        'config.toml: alarm.spool_after: "soon" is no duration; write a number and a unit, such as "90s", "250ms" or "5min"',
        'config.toml: alarm.mqtt_listener.prot: unknown key; did you mean "port"?',
        'config.toml: psap.links.county.form: unknown key; did you mean "from"?',
        "config.toml: psap.links.county.from: missing; it has no default",
        'config.toml: psap.links.county.key: a secret is not written here; name it: { file = "path" } or { env = "NAME" }',
        'config.toml: notify.channels.mail.kind: "smpt" is not known; one of: ' + ", ".join(sorted(CHANNELS)),
        'config.toml: log.level: "loud" is not known; one of: debug, info, warning, error',
    ] == faults(tmp_path, text)


@pytest.mark.parametrize("text", ["", "[psap]", "[psap.links]", "psap = 1", "[psap]\nlinks = []"])
def test_settings_that_leave_no_way_to_the_psap_are_refused(tmp_path: Path, text: str) -> None:
    """Whatever else a file says, the PSAP's route can never become empty."""
    assert any("psap" in line for line in faults(tmp_path, text))


def test_links_are_shown_by_priority(tmp_path: Path) -> None:
    """The lower the number the earlier, whatever the order in the file."""
    spare = MINIMAL.replace("county", "alpha") + "priority = 2\n"

    assert ["county", "alpha"] == [name for name, _ in settings(tmp_path, spare + MINIMAL).links_as_shown()]


def test_a_call_sign_that_cannot_be_sent_is_refused_at_once(tmp_path: Path) -> None:
    """Not when the radio is opened, by a lane that would end over it again and again."""
    radio = MINIMAL + '[alarm.radio.north]\nurl = "tcp://127.0.0.1:8001"\ncallsign = "bell tower"\n'

    assert "config.toml: alarm.radio.north.callsign: address 'bell tower'" in faults(tmp_path, radio)[0]


def test_listening_for_other_machines_without_tls_has_to_be_said(tmp_path: Path) -> None:
    """An oversight does not open the listener in clear."""
    table = MINIMAL + '[alarm.mqtt_listener]\nbind = "0.0.0.0"\n'

    assert "alarm.mqtt_listener" in faults(tmp_path, table)[0]
    assert settings(tmp_path, table + "allow_plain = true\n").alarm.mqtt_listener is not None


def test_a_broker_replaces_the_listener_only_where_it_is_the_one_named(tmp_path: Path) -> None:
    """Naming a broker and no listener leaves no open port."""
    house = settings(tmp_path, MINIMAL + '[alarm.mqtt_broker.campus]\nurl = "mqtt://127.0.0.1:1883"\n')

    assert house.alarm.mqtt_listener is None
    assert ["campus"] == list(house.alarm.mqtt_broker)


def test_the_database_password_is_kept_out_of_the_address(tmp_path: Path) -> None:
    """It is joined only for the one who connects, and quoted."""
    house = settings(
        tmp_path,
        MINIMAL + '[desk]\ndatabase = "postgresql://bell@db/bell"\ndatabase_password = { env = "PW" }\n',
        PW="p@ss/word",
    )

    assert "postgresql://bell:p%40ss%2Fword@db/bell" == house.desk_url
    assert "p@ss" not in repr(house)
    assert "bears a password" in faults(tmp_path, MINIMAL + '[desk]\ndatabase = "postgresql://a:b@db/x"\n')[0]


def test_two_channels_of_one_kind_are_refused(tmp_path: Path) -> None:
    """Each address is served by one channel, or everything would be sent twice."""
    mail = '[notify.channels.{}]\nkind = "smtp"\nhost = "localhost"\nfrom = "a@example.org"\n'

    assert [
        (
            "config.toml: notify.channels.spare.kind: notify.channels.mail is of this kind and has the same turn;"
            " give one a later order, or keep one"
        )
    ] == faults(tmp_path, MINIMAL + mail.format("mail") + mail.format("spare"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The message gives the path and the mend."""
    with pytest.raises(SettingsError, match="absent.toml: there is no such file; give yours with --config"):
        load(tmp_path / "absent.toml")


def test_mutated_files_are_rejected_whole_or_leave_a_link(tmp_path: Path) -> None:
    """200 mutations of the example: SettingsError or settings with a way to the PSAP, nothing else."""
    example = (ROOT / "config.example.toml").read_text(encoding="utf-8")
    refused = 0
    for seed in range(200):
        chance = random.Random(seed)
        lines = example.splitlines()
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(lines))
            match chance.randrange(5):
                case 0:
                    del lines[at]
                case 1:
                    lines[at] = lines[at][: chance.randint(0, len(lines[at]))]
                case 2:
                    lines[at] = lines[at].replace("=", "= -", 1)
                case 3:
                    lines[at] = lines[at].replace("e", chance.choice('3[]"\x00é'), 1)
                case 4:
                    lines.insert(at, chance.choice(lines))
        file = tmp_path / "config.toml"
        file.write_text("\n".join(lines), encoding="utf-8")
        try:
            house = load(file, environ={}, secrets=False)
        except SettingsError as error:
            assert "config.toml" in str(error)
            refused += 1
        else:
            assert house.psap_links
    assert refused > 100


def test_each_lane_opens_its_own_secrets_only(tmp_path: Path) -> None:
    """A carrier's missing token does not keep the alarm lane from starting, nor a missing link key the desk lane."""
    file = tmp_path / "config.toml"
    text = """
    [notify.channels.text]
    kind = "twilio"
    account = "AC00000000000000000000000000000000"
    from = "+15550100"
    token = { file = "absent" }
    """
    file.write_text(MINIMAL + text, encoding="utf-8")

    alarm = load(file, environ={"COUNTY_KEY": "0a" * 32}, secrets=rooms.ALARM_SECRETS)
    (tmp_path / "absent").touch(mode=0o600)
    (tmp_path / "absent").write_text("token", encoding="utf-8")
    desk = load(file, environ={}, secrets=rooms.DESK_SECRETS)

    assert ("0a" * 32, "") == (alarm.psap_links["county"].key.reveal(), alarm.channels["text"].token.reveal())
    assert ("", "token") == (desk.psap_links["county"].key.reveal(), desk.channels["text"].token.reveal())


def test_an_output_whose_secret_is_missing_silences_itself_only(tmp_path: Path) -> None:
    """The alarm lane opens the others, and says which one it could not."""
    file = tmp_path / "config.toml"
    text = """
    [outputs.{name}]
    kind = "http-notice"
    does = "sign"
    url = "http://127.0.0.1:1"
    key = {{ env = "{key}" }}
    """
    signs = text.format(name="gym", key="GYM_KEY") + text.format(name="hall", key="ABSENT")
    file.write_text(MINIMAL + signs, encoding="utf-8")
    environ = {"COUNTY_KEY": "0a" * 32, "GYM_KEY": "0b" * 32}

    alarm = load(file, environ=environ, secrets=rooms.ALARM_SECRETS)

    assert ("0b" * 32, "") == (alarm.outputs["gym"].key.reveal(), alarm.outputs["hall"].key.reveal())
    assert {"hall": "key.env: the environment has no ABSENT; set it before the start"} == alarm.output_faults
    with pytest.raises(SettingsError, match="ABSENT"):
        load(file, environ=environ)


def test_secrets_need_not_exist_where_only_the_file_is_checked(tmp_path: Path) -> None:
    """A settings file can be checked on a machine that does not hold its secrets."""
    file = tmp_path / "config.toml"
    file.write_text(MINIMAL, encoding="utf-8")

    assert Secret("") == load(file, environ={}, secrets=False).psap_links["county"].key


@pytest.mark.parametrize(
    "url",
    ["ftp://x", "serial:///dev/ttyUSB0?baud=fast", "serial://", "tcp://127.0.0.1", "tcp://h:99999", "x"],
)
def test_a_wire_that_can_never_open_is_refused(tmp_path: Path, url: str) -> None:
    """A link that is only a line in a file is no way to the PSAP; a unit radio is held to the same."""
    link = MINIMAL.replace("tcp://127.0.0.1:8001", url)
    radio = MINIMAL + f'[alarm.radio.roof]\nurl = "{url}"\n'

    assert [f"config.toml: psap.links.county.url: transport '{url}'"] == [
        line.rsplit(": expected", 1)[0].rsplit(": baud", 1)[0] for line in faults(tmp_path, link)
    ]
    assert faults(tmp_path, radio)[0].startswith(f"config.toml: alarm.radio.roof.url: transport '{url}'")


def test_every_fault_of_a_link_is_reported_together(tmp_path: Path) -> None:
    """The address does not hide the call sign, nor the call sign the speed."""
    link = MINIMAL.replace("tcp:", "ftp:").replace('"COUNTY"', '"county"') + "rate = 1\nspeed = 1\n"

    assert [f"config.toml: psap.links.county.{key}" for key in ("speed", "url", "to", "rate")] == [
        line.split(": ")[0] + ": " + line.split(": ")[1] for line in faults(tmp_path, link)
    ]


@pytest.mark.parametrize(
    ("table", "line", "key"),
    [
        ("desk.web", "port = 99999", "port"),
        ("desk.web", "port = 0", "port"),
        ("desk.web", "port = 1883", "port"),
        ("alarm.mqtt_listener", "port = 70000", "port"),
        ("alarm.mqtt_listener", "max_clients = 0", "max_clients"),
        ("notify.channels.mail", 'host = ""', "host"),
        ("notify.channels.mail", 'from = "alerts"', "from"),
        ("notify.channels.mail", "port = 0", "port"),
        ("notify.channels.mail", "connections = 0", "connections"),
        ("notify.channels.mail", 'timeout = "0s"', "timeout"),
        ("notify.channels.text", "rate = 0", "rate"),
        ("notify.channels.text", 'rate = "20"', "rate"),
        ("notify.channels.text", "in_flight = 0", "in_flight"),
        ("notify.channels.text", 'from = "555-0100"', "from"),
        ("notify.channels.text", 'account = "AC12"', "account"),
    ],
)
def test_a_value_that_cannot_work_is_refused_at_once(tmp_path: Path, table: str, line: str, key: str) -> None:
    """At the start and by its key, not at the first notice."""
    tables = {
        "notify.channels.mail": {"kind": '"smtp"', "host": '"m.example"', "from": '"a@b.example"'},
        "notify.channels.text": {
            "kind": '"twilio"',
            "account": f'"AC{"0" * 32}"',
            "token": '{ env = "COUNTY_KEY" }',
            "from": '"MG' + "0" * 32 + '"',
        },
    }.get(table, {})

    def written(values: dict[str, str]) -> str:
        return MINIMAL + f"[{table}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())

    assert settings(tmp_path, written(tables)).file.is_file()
    assert [f"config.toml: {table}.{key}"] == [
        ": ".join(fault.split(": ")[:2])
        for fault in faults(tmp_path, written({**tables, key: line.split(" = ", 1)[1]}))
    ]


@pytest.mark.parametrize("leads", ["", 'centre = "first"\n'])
def test_when_every_centre_comes_later_nobody_is_called_at_once(tmp_path: Path, leads: str) -> None:
    """The only centre with `after`, whether or not a link leads to it."""
    said = faults(tmp_path, f'{MINIMAL}{leads}[psap.centres.first]\nname = "First"\nafter = "5s"\n')

    assert ["config.toml: psap.centres"] == [line.rpartition(": ")[0] for line in said]


def test_a_serial_line_serves_one_link(tmp_path: Path) -> None:
    """Two that write to it at once would spoil each other's frames."""
    one = MINIMAL.replace("tcp://127.0.0.1:8001", "serial:///dev/ttyUSB0?baud=9600")
    assert "serial" in one
    second = one.replace("[psap.links.county]", "[psap.links.second]").replace("9600", "19200")
    said = faults(tmp_path, one + second)

    assert 1 == len(said)
    assert "psap.links.second.url: /dev/ttyUSB0 is the line of psap.links.county too" in said[0]


def test_inputs_and_outputs_share_a_line_that_they_call_the_same(tmp_path: Path) -> None:
    """Modbus with Modbus, OSDP with OSDP; nothing else, and not at two speeds."""
    inputs = '[alarm.devices.hall]\nkind = "modbus"\nurl = "serial:///dev/ttyUSB4?baud=9600"\n'
    relay = '[outputs.siren]\nkind = "modbus"\ndoes = "siren"\ncoil = 1\nurl = "serial:///dev/ttyUSB4?baud=9600"\n'
    assert ["hall"] == list(settings(tmp_path, MINIMAL + inputs + relay).alarm.devices)
    (said,) = faults(tmp_path, MINIMAL + inputs + relay.replace("9600", "19200"))
    assert 'outputs.siren.url: /dev/ttyUSB4 is the line of alarm.devices.hall too; write "serial:///' in said
    (said,) = faults(tmp_path, MINIMAL + inputs + inputs.replace("hall", "gym").replace("modbus", "osdp"))
    assert "alarm.devices.gym.url: /dev/ttyUSB4 is the line of alarm.devices.hall too; each needs" in said


def test_an_eido_link_does_not_share_a_port(tmp_path: Path) -> None:
    """Neither the page's nor the units'."""
    text = f"""{MINIMAL}
[psap.links.cad]
kind = "eido"
element = "belltower.school.example"
port = 1883
[desk.web]
port = 1883
"""
    said = faults(tmp_path, text)

    assert 3 == len(said)
    assert any("psap.links.cad.port: 1883 is the port of desk.web too" in line for line in said)


def test_places_that_are_not_on_the_plan_are_named(tmp_path: Path) -> None:
    """Zones of a link to a monitoring station."""
    text = f"""{MINIMAL}
[psap.links.station]
kind = "dc09"
receivers = ["tcp://127.0.0.1:9000"]
account = "12345A"
zones = {{ nowhere = 3, b204 = 4 }}
"""
    said = settings(tmp_path, text).unplaced({PlaceId("b204")})

    assert ("psap.links.station.zones.nowhere: the site package has no place nowhere",) == said


def test_a_number_in_another_form_is_shown_beside_how_it_is_written(tmp_path: Path) -> None:
    """Not "found text": what stands there, and what would be right."""
    text = (
        MINIMAL
        + """
    [notify.channels.texts]
    kind = "twilio"
    account = "AC00000000000000000000000000000001"
    token = { env = "BELLTOWER_NO_TOKEN" }
    from = "(408) 555-0100"
    """
    )

    assert [
        fault
        for fault in faults(tmp_path, text)
        if fault.endswith('at most 11 letters and digits, found "(408) 555-0100"')
    ]


@pytest.mark.parametrize("to", ["3", '""', '"555-0100"', '"no mail"', '["+15550100199"]'])
@pytest.mark.parametrize("key", ["sms", "email"])
def test_where_tests_go_must_be_an_address_or_a_person(tmp_path: Path, key: str, to: str) -> None:
    """The key and its mend are named; a number, a mailbox and the id of a person are taken."""
    text = MINIMAL + "[notify]\ntest_to = { %s }\n"
    settings(tmp_path, text % 'sms = "+15550100199", voice = "p01", email = "it@school.example"')

    (fault,) = faults(tmp_path, text % f"{key} = {to}")

    said = {
        "sms": "must be a number with + and country",
        "email": "want text: an address of the school's own",
    }
    assert f"notify.test_to.{key}: {said[key]}" in fault

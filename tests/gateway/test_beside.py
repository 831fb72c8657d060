"""The desk's database beside its lane is opened in one place, which says before the first start that there is none."""

from pathlib import Path

import pytest

import gateway
from belltower.errors import NotFound
from belltower.people.vault import new_ring, write_ring
from gateway.beside import desk_database
from gateway.channel_proofs import proofs_of
from gateway.cli.keys import _keys
from gateway.cli.people_desk import at_the_desk
from gateway.invitation import grants_beside, invite
from gateway.settings import load
from tests.gateway.cli.house import house


async def test_whatever_opens_it_says_the_same_before_the_desk_has_ever_run(tmp_path: Path) -> None:
    """That there is no desk yet, and how one is started."""
    config = house(tmp_path)
    settings = load(config, secrets=False)
    settings.state.folder.mkdir(parents=True, exist_ok=True)
    write_ring(settings.people_keys, new_ring())

    async def works(_store: object) -> None: ...

    async def opens(opened) -> None:
        async with opened:
            pass

    for asked in (
        opens(desk_database(settings)),
        opens(proofs_of(settings)),
        opens(grants_beside(settings)),
        opens(_keys(config)),
        invite(settings),
        at_the_desk(config, works),
    ):
        with pytest.raises(NotFound, match=r"desk\.db: there is no desk yet; start it with: belltower run"):
            await asked


def test_it_is_opened_beside_its_lane_in_one_place() -> None:
    """Elsewhere the cases would part again."""
    sources = Path(gateway.__file__).parent.rglob("*.py")
    opening = {path.name for path in sources if "open_beside" in path.read_text("utf-8")}

    assert {"beside.py"} == opening

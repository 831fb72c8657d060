"""Roles for the accounts of a test."""

from belltower.ids import PersonId
from belltower.people.grant import SHIPPED, Grant
from belltower.store import Transaction
from gateway.web import grant_store
from gateway.web.grants import Grants
from tests.gateway.web.house import House


def grants_of(house: House) -> Grants:
    """What this house's page asks."""
    return Grants(database=house.database, roles=SHIPPED, clock=house.clock, ids=house.ids)


async def become(house: House, role: str, *schools: str, name: str = "Ruth Adler") -> PersonId:
    """Whoever is called so has this role, and no other."""
    person = next(one for one in await grants_of(house).listed() if one.name == name)
    tx = Transaction()
    for grant in person.grants:
        grant_store.remove_grant(tx, grant)
    grant = Grant(person=person.person, role=role, schools=frozenset(schools))
    grant_store.add_grant(tx, grant, house.clock.now())
    await house.database.submit(tx)
    return person.person

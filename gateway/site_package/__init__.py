"""The site package: one folder that holds all a campus's box needs to work alone.

    site.toml        id, name, campus, timezone, quiet, schools, telephone, position; [address]; [[building]]; [[place]]
    units.toml       [[unit]] number, place, bearer, heartbeat
    people.toml      [[person]] id, name, roles, places; [[person.contact]]
    response.toml    what an alarm, an action, an acknowledgement and a closing set off
    audiences.toml   who is meant, by name
    wording/*.toml   the district's own texts, where it has them; approvals.toml: who answers for which translation
    roles.toml       [NAME] rights: what the functions of this school may do, where not what is shipped
    drills.toml      [[authoriser]] person, key: who may agree to a drill, two at a time
    devices.toml     [[device]] id, profile, address, bearer, place, parent, heartbeat, unattended_call; [[variant]]
    profiles/*.toml  device profiles of the site's own

Each file has its module here: `places` (site.toml), `units`, `people`, `response` (audiences too), `wording`, `roles`,
`drills`, `devices` (profiles too). `checks` is what they are all held to, `package` what comes of them, and `loading`
reads them all.

It is text, and its revision is the hash of its content. It is checked as a whole: a faulty one is refused with every
fault named by file, table and key, and the one in force stays in force.
"""

from gateway.site_package.loading import content, load, revision
from gateway.site_package.package import SitePackage
from gateway.site_package.places import Building

__all__ = ["Building", "SitePackage", "content", "load", "revision"]

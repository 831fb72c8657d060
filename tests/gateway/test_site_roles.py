"""The roles of a site package, as a school writes them."""

from pathlib import Path

import pytest

from belltower.errors import SettingsError
from gateway.site_package.roles import FILE, roles_in


@pytest.mark.parametrize("text", ["[[role]]\nname = 'x'\n", "[office]\nrights = [3]\n"])
def test_what_is_no_role_is_told_how_one_is_written(tmp_path: Path, text: str) -> None:
    """The form stands in the message."""
    (tmp_path / FILE).write_text(text, encoding="utf-8")

    with pytest.raises(SettingsError, match=r"a role is a table: \[front-desk\], and in it rights = "):
        roles_in(tmp_path)

"""The last good site package, kept beside a lane's journal for the start at which the folder's is faulty.

A package is swapped by a person and read when a lane starts; the start may be weeks later, at night, after a power cut.
A faulty one is refused whole, and the one that was in force stays in force.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory, mkstemp

from belltower import log
from belltower.errors import SettingsError
from gateway import site_package
from gateway.site_package import SitePackage

_log = log.get("site")


def load(folder: Path, kept: Path) -> tuple[SitePackage, str]:
    """The site package in `folder`, which is then kept in the archive `kept`; or else the one kept there.

    The text says that the package is the kept one, and of which revision; it is empty otherwise. Raises
    `SettingsError` with the folder's faults when there is no good package anywhere.
    """
    try:
        package = site_package.load(folder)
    except SettingsError as refused:
        package = _last_good(kept, refused)
        # The faults themselves may repeat what stands in the package, a telephone number for instance.
        files = sorted({line.split(":", 1)[0] for line in str(refused).splitlines()})
        _log.error("site_package_refused", files=files, running_on=package.revision)
        return package, (
            f"the site package is faulty ({', '.join(files)}; see: belltower check); "
            f"revision {package.revision} stays in force"
        )
    try:
        _keep(folder, kept)
    except OSError as error:
        _log.warning("site_package_not_kept", error=error.strerror)
    return package, ""


def _last_good(kept: Path, refused: SettingsError) -> SitePackage:
    try:
        with TemporaryDirectory() as folder, zipfile.ZipFile(kept) as archive:
            archive.extractall(folder)
            return site_package.load(Path(folder), linted=False)
    except (OSError, zipfile.BadZipFile, SettingsError) as error:
        if not isinstance(error, FileNotFoundError):
            _log.error("kept_site_package_unusable", error=type(error).__name__)
        raise refused from None


def _keep(folder: Path, kept: Path) -> None:
    """Replace the archive in one step: it holds either package, whole. Several lanes may do it at once."""
    descriptor, name = mkstemp(prefix=f"{kept.name}.", dir=kept.parent)
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in site_package.content(folder):
                    archive.write(path, path.relative_to(folder).as_posix())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(kept)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise

"""Reading zip archives that came over the network: into memory only, and within limits."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import Final

from mlpzoo.errors import DataError

MAX_MEMBERS: Final = 5_000
MAX_MEMBER_BYTES: Final = 16 * 2**20
MAX_TOTAL_BYTES: Final = 128 * 2**20


def read_zip(
    path: Path,
    *,
    max_members: int = MAX_MEMBERS,
    max_member_bytes: int = MAX_MEMBER_BYTES,
    max_total_bytes: int = MAX_TOTAL_BYTES,
) -> dict[str, bytes]:
    """All files of a zip archive, by name.  Nothing is written to disk.

    Raises:
        DataError: Not a zip or damaged; a member is encrypted, a link, twice there, or has a name
            that leads out of a directory; too many or too large, whatever the headers claim.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > max_members:
                raise _unsafe(path, f"{len(members)} members, more than {max_members}")
            content: dict[str, bytes] = {}
            total = 0
            for member in members:
                if member.is_dir():
                    continue
                _check_name(path, member, content)
                limit = min(max_member_bytes, max_total_bytes - total)
                with archive.open(member) as stream:
                    data = stream.read(limit + 1)
                if len(data) > limit:
                    raise _unsafe(path, f"'{member.filename}' unpacks to more than {limit} bytes")
                content[member.filename] = data
                total += len(data)
            return content
    except (OSError, zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise DataError(f"{path.name}: not a readable zip archive: {error}", hint=_HINT) from error


def _check_name(path: Path, member: zipfile.ZipInfo, seen: dict[str, bytes]) -> None:
    name = member.filename
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in member.orig_filename or ":" in name:
        raise _unsafe(path, f"member '{name}' leads out of the archive")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise _unsafe(path, f"member '{name}' is a link")
    if member.flag_bits & 0x1:
        raise _unsafe(path, f"member '{name}' is encrypted")
    if name in seen:
        raise _unsafe(path, f"member '{name}' is there twice")


_HINT: Final = "fetch it again; if that does not help, report it: the archive itself is at fault"


def _unsafe(path: Path, reason: str) -> DataError:
    return DataError(f"{path.name}: unsafe zip archive: {reason}", hint=_HINT)

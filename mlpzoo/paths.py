"""Where mlpzoo keeps what it makes: environments, results, fetched data."""

from __future__ import annotations

import os
from pathlib import Path

from mlpzoo.errors import UsageError


def home() -> Path:
    """``$MLPZOO_HOME``, or the platform's directory for user data.  Created, private to the user.

    Raises:
        UsageError: It cannot be made.
    """
    named = os.environ.get("MLPZOO_HOME")
    if named:
        path = Path(named).expanduser().resolve()
    else:
        import platformdirs

        path = Path(platformdirs.user_data_dir("mlpzoo", appauthor=False))
    return _made(path)


def below_home(name: str) -> Path:
    """A directory below `home`, created."""
    return _made(home() / name)


def _made(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be made: {error.strerror}", hint="set MLPZOO_HOME to a directory of yours"
        ) from error
    return path

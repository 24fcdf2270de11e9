"""Where mlpzoo keeps what it makes: environments, results, fetched data."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """``$MLPZOO_HOME``, or the platform's directory for user data.  Created, private to the user."""
    named = os.environ.get("MLPZOO_HOME")
    if named:
        path = Path(named).expanduser().resolve()
    else:
        import platformdirs

        path = Path(platformdirs.user_data_dir("mlpzoo", appauthor=False))
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def below_home(name: str) -> Path:
    """A directory below `home`, created."""
    path = home() / name
    path.mkdir(exist_ok=True, mode=0o700)
    return path

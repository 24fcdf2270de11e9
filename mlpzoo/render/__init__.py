"""Tables as text: Markdown, CSV, LaTeX, JSON, and for the terminal.

A module a format; what they share is in `view`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from mlpzoo.render import latex, longform, markdown, terminal
from mlpzoo.render.figures import write_figures
from mlpzoo.render.view import View
from mlpzoo.table import Comparison
from mlpzoo.table_json import to_json

Format = Literal["terminal", "md", "csv", "json", "latex"]

__all__ = ["Format", "View", "render", "terminal", "write_figures"]


def render(found: Comparison, form: Format, view: View | None = None) -> str:
    """A comparison as text, for every format but ``terminal``; csv and json hold everything in any view."""
    renderers: dict[str, Callable[[Comparison, View], str]] = {
        "md": markdown.render,
        "csv": longform.render,
        "latex": latex.render,
        "json": lambda c, _: to_json(c).decode() + "\n",
    }
    return renderers[form](found, view or View())

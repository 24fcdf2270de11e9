"""Tables for papers: one ``table`` environment each; needs booktabs."""

from __future__ import annotations

from mlpzoo.benchmark import Quantity
from mlpzoo.notes import legend, notes
from mlpzoo.render import view as show
from mlpzoo.render.view import Cell, View
from mlpzoo.results import Result
from mlpzoo.table import Comparison, Table

_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
        "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        "Å": r"\AA{}", "°": r"$^\circ$", "δ": r"$\delta$", "θ": r"$\theta$", "⟨": r"$\langle$",
        "⟩": r"$\rangle$", "|": r"$|$", ">": r"$>$", "<": r"$<$", "≈": r"$\approx$", "—": "---",
        "✗": r"$\times$", "·": r"$\cdot$", "Γ": r"$\Gamma$", "×": r"$\times$", "½": r"$\frac12$",
        "†": r"$^\dagger$", "→": r"$\rightarrow$", "Δ": r"$\Delta$", "ω": r"$\omega$", "ν": r"$\nu$",
        "μ": r"$\mu$", "µ": r"$\mu$", "σ": r"$\sigma$", "±": r"$\pm$", "≤": r"$\le$", "≥": r"$\ge$",
        "∥": r"$\parallel$", "⊥": r"$\perp$", "∞": r"$\infty$", "√": r"$\surd$", "τ": r"$\tau$",
        "−": "$-$", "–": "--", "…": r"\ldots{}", "’": "'", "é": r"\'e", "ö": r'\"o', "ü": r'\"u', "ä": r'\"a',
        **{sign: f"$^{{{plain}}}$" for sign, plain in zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+", strict=True)},
        **{sign: f"$_{{{plain}}}$" for sign, plain in zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True)},
    }
)  # fmt: skip


def render(found: Comparison, view: View) -> str:
    """All tables, one after the other."""
    return "\n\n".join(_environment(table, view) for table in found.tables) + "\n"


def _environment(table: Table, view: View) -> str:
    if table.nobody_can:
        return "% " + " ".join(show.nobody(table).split())
    shown = show.columns(table, view)
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{show.heading(table).translate(_TEX)}}}"]
    lines.append(r"\begin{tabular}{l" + "r" * len(shown) + "}")
    heads = [show.header(table, q, view).translate(_TEX) for q in shown]
    lines += [r"\toprule", " & ".join(["model", *heads]) + r" \\", r"\midrule"]
    lines += [_row(table, row, shown, view) for row in table.rows]
    below = show.rows_below(table, shown)
    lines += [r"\midrule"] if below else []
    lines += [_row(table, row, shown, view) for row in below]
    lines += [r"\bottomrule", r"\end{tabular}"]
    told = [*legend(table), *(note.splitlines()[0] for note in notes(table))]
    lines += [rf"\par\footnotesize {line.translate(_TEX)}" for line in told]
    lines.append(r"\end{table}")
    return "\n".join(lines)


def _row(table: Table, row: Result, shown: list[Quantity], view: View) -> str:
    cells = [show.name(table, row).translate(_TEX)]
    cells += [_cell(show.cell(table, row, q, view)) for q in shown]
    return " & ".join(cells) + r" \\"


def _cell(cell: Cell) -> str:
    text = cell.text.translate(_TEX)
    if cell.words:
        return rf"\textit{{{text}}}"
    return rf"\textbf{{{text}}}" if cell.mark.best else rf"$\approx$ {text}" if cell.mark.tie else text

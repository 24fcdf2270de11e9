"""Puts a model that ``mlpzoo train`` made into its plugin: weights, card, golden numbers.

    uv run mlpzoo train mace --data si-training --test si-vacancy --name si-small --licence MIT
    uv run python docs/ship_model.py mace trained/mace/si-small.model

The card replaces the one of the same name in ``cards.toml``, or comes first.  Golden numbers are computed in
the family's environment, through a worker.
"""

from __future__ import annotations

import argparse
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlpzoo
from mlpzoo.card_file import card_beside, card_table
from mlpzoo.data import tomltext
from mlpzoo.models import ModelCard, ModelSpec
from mlpzoo.testing import Subject, write_golden

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Copy, rewrite, compute."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("family")
    parser.add_argument("weights", type=Path)
    options = parser.parse_args()
    found, why = card_beside(options.weights, options.family)
    if found is None or found.checkpoint is None:
        parser.error(f"no card beside {options.weights} that is of it. {why}")
    package = ROOT / "plugins" / f"mlpzoo-{options.family}" / "src" / f"mlpzoo_{options.family}"
    name = f"{options.family}/{options.weights.name.partition('.')[0]}"
    file = Path("models") / options.weights.name
    card = replace(found, name=name, checkpoint=replace(found.checkpoint, file=file.as_posix()))
    (package / "models").mkdir(exist_ok=True)
    shutil.copyfile(options.weights, package / file)
    rewrite(package / "cards.toml", card)
    print(f"{name}: {file}, {card.checkpoint.size_bytes / 1e6:.2f} MB")  # type: ignore[union-attr]
    golden = package / "golden" / f"{name.replace('/', '-')}.json"
    write_golden(subject(card, package / file), golden)
    print(f"{name}: {golden.relative_to(ROOT)}")


def rewrite(path: Path, card: ModelCard) -> None:
    """Replace the card of this name, or put it first; the text of the others stays as it is."""
    text = f"[[card]]\n{tomltext.dumps(card_table(card))}".replace("\n[", "\n[card.") + "\n"
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    head, *cards = re.split(r"(?m)^(?=\[\[card\]\])", old)
    head = "" if head.strip() == "card = []" else head
    names = [re.search(r'(?m)^name = "(.*)"$', one)[1] for one in cards]  # type: ignore[index]
    if card.name in names:
        cards[names.index(card.name)] = text
    else:
        cards.insert(0, text)
    path.write_text(head + "\n".join(one.rstrip() + "\n" for one in cards), encoding="utf-8")


def subject(card: ModelCard, weights: Path) -> Subject:
    """The model in its own environment, as the kit asks for it."""

    class Elsewhere:
        family, requires, lock_file = card.family, (), None

        def cards(self) -> list[ModelCard]:
            return [card]

        def calculator(self, spec: ModelSpec) -> Any:
            return mlpzoo.load(f"{card.family}:{spec.path}", dtype=spec.dtype)

    return Subject(backend=Elsewhere(), spec=ModelSpec(name=card.name, card=card, path=str(weights)))


if __name__ == "__main__":
    main()

"""Cards and locks beside a plugin's module."""

from __future__ import annotations

import pytest

from mlpzoo.errors import PluginError
from mlpzoo.plugin_files import cards_beside, lock_beside

CARD = """
[[card]]
name = "x/one"
family = "x"
elements = ["Si"]
properties = ["energy"]
[card.checkpoint]
file = "one.pt"
sha256 = "00"
size_bytes = 1
"""


def module(tmp_path, text):
    (tmp_path / "cards.toml").write_text(text)
    return str(tmp_path / "backend.py")


def test_cards_are_read(tmp_path):
    (card,) = cards_beside(module(tmp_path, CARD))
    assert (card.name, card.elements, card.checkpoint.file) == ("x/one", ("Si",), "one.pt")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('elements = ["Si"]\n', "", "elements"),
        ('["Si"]', '"Si"', "elements"),
        ("[[card]]", '[[card]]\nlicense = "MIT"', "license"),
        ("[[card]]", "[[card", "line"),
        ("[[card]]", "[[cards]]", "card"),
    ],
)
def test_a_card_that_cannot_be_right_is_refused_and_says_why(tmp_path, old, new, what):
    with pytest.raises(PluginError, match=what):
        cards_beside(module(tmp_path, CARD.replace(old, new)))


def test_lock_is_found_in_a_wheel_and_in_a_checkout(tmp_path):
    package = tmp_path / "src" / "mlpzoo_x"
    package.mkdir(parents=True)
    (tmp_path / "requirements.lock").touch()
    assert lock_beside(str(package / "backend.py")) == tmp_path / "requirements.lock"
    (package / "requirements.lock").touch()
    assert lock_beside(str(package / "backend.py")) == package / "requirements.lock"

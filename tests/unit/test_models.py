"""Cards, specs and names."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from mlpzoo.backends.emt import EmtBackend
from mlpzoo.errors import UsageError
from mlpzoo.models import Backend, Checkpoint, ModelCard, ModelName, ModelSpec

CARD = ModelCard(name="x/a", family="x", elements=("Si", "O"), properties=("energy", "forces"))


@pytest.mark.parametrize(
    ("text", "family", "card", "path"),
    [
        ("mace", "mace", "", ""),
        ("mace/si-small", "mace", "si-small", ""),
        ("mace/a/b", "mace", "a/b", ""),
        ("mace:my.model", "mace", "", "my.model"),
        ("mace:/abs/my.model", "mace", "", "/abs/my.model"),
        ("mace:a:b", "mace", "", "a:b"),
        ("mace:~/a b", "mace", "", "~/a b"),
    ],
)
def test_the_three_forms_of_a_name_are_parsed(text: str, family: str, card: str, path: str):
    assert ModelName.parse(text) == ModelName(family=family, card=card, path=path)


@pytest.mark.parametrize("text", ["", "/", ":", "mace/", "mace:", "/a", ":a", "mace/a:b", "/:"])
def test_a_malformed_name_is_refused_with_the_forms(text: str):
    with pytest.raises(UsageError, match="is not a model name") as caught:
        ModelName.parse(text)
    assert f"'{text}'" in caught.value.message
    assert "FAMILY:PATH" in caught.value.hint


@pytest.mark.parametrize(
    ("symbols", "known"),
    [
        (["Si"], True),
        (["O", "Si", "Si"], True),
        ([], True),
        (["Si", "C"], False),
        (["C"], False),
        (["S"], False),
    ],
)
def test_a_card_supports_only_its_elements(symbols: list[str], *, known: bool):
    assert CARD.supports(symbols) is known


def test_a_card_without_elements_supports_any():
    assert dataclasses.replace(CARD, elements=()).supports(["Og", "H"])


@pytest.mark.parametrize(
    "thing", [CARD, ModelSpec(name="x/a"), ModelName(family="x"), Checkpoint(sha256="", size_bytes=0)]
)
def test_they_are_frozen(thing: object):
    first = dataclasses.fields(thing)[0].name  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(thing, first, "other")


def test_a_spec_with_its_card_survives_json():
    card = dataclasses.replace(
        CARD,
        test_errors={"force_rmse_ev_per_ang": 0.1},
        checkpoint=Checkpoint(sha256="ab", size_bytes=1, file="w"),
    )
    spec = ModelSpec(name="x/a", card=card, path="/w", device="cuda", dtype="float32")
    assert msgspec.json.decode(msgspec.json.encode(spec), type=ModelSpec) == spec


def test_a_precision_that_does_not_exist_is_refused_on_the_way_in():
    data = msgspec.json.encode(ModelSpec(name="x/a")).replace(b"float64", b"float16")
    with pytest.raises(msgspec.ValidationError, match="float16"):
        msgspec.json.decode(data, type=ModelSpec)


def test_class_attributes_make_a_backend():
    assert isinstance(EmtBackend(), Backend)
    assert not isinstance(CARD, Backend)

"""Symbols of the elements are those of ASE, which cards do without."""

from __future__ import annotations

from ase.data import chemical_symbols

from mlpzoo.elements import OF_MATERIALS, SYMBOLS


def test_symbols_are_in_the_order_of_atomic_numbers() -> None:
    assert list(SYMBOLS) == chemical_symbols[1:]


def test_elements_of_materials_are_eighty_nine() -> None:
    assert len(OF_MATERIALS) == 89
    assert set(OF_MATERIALS) < set(SYMBOLS)
    assert {"Si", "Ac", "Pu"} < set(OF_MATERIALS)
    assert not {"Po", "Ra", "Am"} & set(OF_MATERIALS)

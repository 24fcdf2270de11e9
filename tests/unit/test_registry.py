"""Names to things: whoever asks gets the thing, or is told which of the possible faults it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlpzoo import plugins
from mlpzoo.errors import ModelError, PluginError, UsageError
from mlpzoo.hashing import file_sha256
from mlpzoo.registry import Registry

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
Make = Callable[..., Registry]


def backends(expression: str) -> str:
    return f"@hookimpl\ndef mlpzoo_register_backends():\n    return {expression}\n"


def benchmarks(expression: str) -> str:
    return f"@hookimpl\ndef mlpzoo_register_benchmarks():\n    return {expression}\n"


def datasets(expression: str) -> str:
    return f"@hookimpl\ndef mlpzoo_register_datasets():\n    return {expression}\n"


def problems(found: Registry, name: str) -> list[str]:
    (one,) = [p for p in found.plugins if p.name == name]
    return one.problems


@pytest.fixture(scope="module")
def toys() -> Registry:
    """The built-ins and the fixture plugin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FIXTURES)
        return Registry(plugins.load(["zoo_toys"], entry_points=False))


# -- clashes -------------------------------------------------------------------------------------------


def test_a_family_that_two_plugins_claim_is_refused_naming_both(registry: Make):
    found = registry(
        first=backends("[Family('dup', 'a'), Family('mine', 'a')]"), second=backends("[Family('dup', 'b')]")
    )
    for ask in (found.backend, found.resolve, found.runs_here):
        with pytest.raises(PluginError, match=r"'dup'.*first.*second") as caught:
            ask("dup")
        assert "mlpzoo plugins" in caught.value.hint
    assert "also claimed by second" in problems(found, "first")[0]
    assert "also claimed by first" in problems(found, "second")[0]


def test_other_names_of_clashing_plugins_go_on_working(registry: Make):
    found = registry(
        first=backends("[Family('dup', 'a'), Family('mine', 'a')]"), second=backends("[Family('dup', 'b')]")
    )
    assert found.resolve("mine").name == "mine/a"
    assert "mine/a" in found.cards
    assert "emt/emt" in found.cards
    assert not [name for name in found.cards if name.startswith("dup")]
    assert "dup" not in found.families


def test_a_plugin_cannot_take_over_a_builtin_family(registry: Make):
    found = registry(other=backends("[Family('emt', 'emt')]"))
    with pytest.raises(PluginError, match=r"'emt'.*builtin:backends.*other"):
        found.backend("emt")
    assert found.backend("lj").plugin.name == "builtin:backends"


def test_a_plugin_that_gives_one_family_twice_is_refused(registry: Make):
    found = registry(twice=backends("[Family('x', 'a'), Family('x', 'b')]"))
    assert "x" not in found.families
    assert any("twice itself" in p or "itself" in p for p in problems(found, "twice"))


def test_a_benchmark_that_two_plugins_claim_is_refused_naming_both(registry: Make):
    found = registry(
        first=benchmarks("[benchmark('b'), benchmark('c')]"), second=benchmarks("[benchmark('b')]")
    )
    with pytest.raises(PluginError, match=r"benchmark 'b'.*first.*second"):
        found.benchmark("b")
    assert found.benchmark("c").item.name == "c"
    assert "b" not in found.benchmarks
    assert "re-forces" in found.benchmarks


def test_a_data_set_that_two_plugins_claim_is_refused_naming_both(registry: Make):
    spec = "DatasetSpec(name='d', kind='re-forces', system='s')"
    other = "DatasetSpec(name='e', kind='re-forces', system='s')"
    found = registry(first=datasets(f"[{spec}, {other}]"), second=datasets(f"[{spec}]"))
    assert "d" not in found.datasets
    assert "e" in found.datasets
    assert [p.name for p in found.clashes["dataset", "d"]] == ["first", "second"]
    assert "'d' is also claimed by second" in problems(found, "first")[0]
    assert "'d' is also claimed by first" in problems(found, "second")[0]


def test_three_plugins_that_claim_a_name_are_all_named(registry: Make):
    found = registry(**{name: backends("[Family('x', 'a')]") for name in ("one", "two", "three")})
    with pytest.raises(PluginError, match=r"one.*two.*three"):
        found.backend("x")


def test_a_family_and_a_benchmark_may_have_the_same_name(registry: Make):
    found = registry(both=backends("[Family('x', 'a')]") + benchmarks("[benchmark('x')]"))
    assert found.backend("x").item.family == "x"
    assert found.benchmark("x").item.name == "x"
    assert not found.clashes


# -- what is no backend, card, benchmark or data set -----------------------------------------------------

NO_BACKENDS = {
    "a class": ("[Family]", "is a class: return an instance"),
    "a number": ("[7]", "int lacks family"),
    "a string": ("['emt']", "str lacks family"),
    "an incomplete object": (
        "[type('Half', (), {'family': 'half'})()]",
        "Half lacks requires, lock_file, cards",
    ),
    "an upper-case family": ("[Family('Upper')]", "invalid family name 'Upper'"),
    "a family with a slash": ("[Family('a/b')]", "invalid family name 'a/b'"),
    "a family with a colon": ("[Family('a:b')]", "invalid family name 'a:b'"),
    "an empty family": ("[Family('')]", "invalid family name ''"),
    "no family": ("[Family(None)]", "invalid family name None"),
    "requires as a string": ("[Family('x', requires='torch')]", "must be a tuple"),
}


@pytest.mark.parametrize("case", NO_BACKENDS)
def test_what_is_no_backend_is_refused_with_a_reason(registry: Make, case: str):
    expression, words = NO_BACKENDS[case]
    found = registry(odd=backends(f"[*{expression}, Family('good', 'a')]"))
    assert len(problems(found, "odd")) == 1
    assert words in problems(found, "odd")[0]
    assert found.resolve("good").name == "good/a"


def test_a_backend_whose_attribute_raises_spoils_nobody_elses(registry: Make):
    body = """
    class Odd(Family):
        @property
        def lock_file(self):
            raise FileNotFoundError("no lock here")
    @hookimpl
    def mlpzoo_register_backends():
        return [Odd("odd", "a"), Family("good", "a")]
    """
    found = registry(odd=body)
    assert "no lock here" in problems(found, "odd")[0]
    assert found.resolve("good").name == "good/a"
    assert "odd" not in found.families


NO_CARDS = {
    "another family's name": (
        "ModelCard(name='y/a', family='x', elements=('Cu',), properties=('energy',))",
        "'x/...'",
    ),
    "another family": (
        "ModelCard(name='x/a', family='y', elements=('Cu',), properties=('energy',))",
        "family 'x'",
    ),
    "no card": ("7", "int instead of a ModelCard"),
    "elements as a string": (
        "ModelCard(name='x/a', family='x', elements=('Si'), properties=('energy',))",
        "elements",
    ),
    "an element that does not exist": (
        "ModelCard(name='x/a', family='x', elements=('si',), properties=('energy',))",
        "'si'",
    ),
    "properties as a string": (
        "ModelCard(name='x/a', family='x', elements=('Si',), properties='energy')",
        "properties",
    ),
    "a property that does not exist": (
        "ModelCard(name='x/a', family='x', elements=('Si',), properties=('energy', 'force'))",
        "'force'",
    ),
}


@pytest.mark.parametrize("case", NO_CARDS)
def test_bad_cards_are_refused_with_a_reason(registry: Make, case: str):
    expression, words = NO_CARDS[case]
    found = registry(odd=backends(f"[Family('x', {expression}, 'good')]"))
    assert {n for n in found.cards if n[:2] in ("x/", "y/")} == {"x/good"}
    assert len(problems(found, "odd")) == 1
    assert words in problems(found, "odd")[0]


def test_a_card_given_twice_is_refused_the_second_time(registry: Make):
    found = registry(odd=backends("[Family('x', 'a', 'a')]"))
    assert "x/a" in found.cards
    assert "twice" in problems(found, "odd")[0]


def broken_cards(failure: str) -> str:
    return f"""
    class Odd(Family):
        def cards(self):
            {failure}
    @hookimpl
    def mlpzoo_register_backends():
        return [Odd("odd"), Family("good", "a")]
    """


@pytest.mark.parametrize("failure", ["raise ValueError('bad cards.toml')", "return None", "return [1] + 2"])
def test_cards_that_cannot_be_read_hide_no_other_familys(registry: Make, failure: str):
    found = registry(odd=broken_cards(failure))
    assert "good/a" in found.cards
    assert "cards of 'odd' cannot be read" in problems(found, "odd")[0]


def test_cards_that_exit_are_reported(registry: Make):
    found = registry(odd=broken_cards("raise SystemExit('no cards.toml')"))
    assert "good/a" in found.cards
    assert "no cards.toml" in problems(found, "odd")[0]


@pytest.mark.parametrize("name", ["odd", "odd/a"])
def test_a_family_whose_cards_cannot_be_read_says_so(registry: Make, name: str):
    found = registry(odd=broken_cards("raise ValueError('bad cards.toml')"))
    with pytest.raises(PluginError, match=r"bad cards\.toml"):
        found.resolve(name)


@pytest.mark.parametrize("body", [benchmarks("['re-forces']"), datasets("[7]")])
def test_what_is_no_benchmark_or_data_set_is_refused_with_a_reason(registry: Make, body: str):
    found = registry(odd=body)
    assert "must be a" in problems(found, "odd")[0]
    assert "re-forces" in found.benchmarks


def test_a_benchmark_whose_cases_cannot_be_listed_hides_no_other(registry: Make):
    body = """
    def no_cases(datasets):
        raise RuntimeError("the case list is broken")
    @hookimpl
    def mlpzoo_register_benchmarks():
        bad = BenchmarkSpec(name="bad", version=1, title="", quantities=(), cases=no_cases, run=print)
        return [bad, benchmark("fine", Case(name="c", system="s", elements=("Cu",)))]
    """
    found = registry(odd=body)
    assert [name for name, _ in found.systems["s"]] == ["fine"]
    with pytest.raises(PluginError, match=r"'bad'.*the case list is broken"):
        found.cases(found.benchmark("bad").item)
    assert any("the case list is broken" in p for p in problems(found, "odd"))


# -- unknown names -------------------------------------------------------------------------------------


def test_an_unknown_family_gets_a_near_match_and_the_next_command(toys: Registry):
    with pytest.raises(UsageError, match="unknown model family 'tersof'") as caught:
        toys.backend("tersof")
    assert "did you mean 'tersoff'?" in caught.value.hint
    assert "mlpzoo models" in caught.value.hint
    assert "pip install mlpzoo-tersof" in caught.value.hint


def test_an_unknown_family_without_a_near_match_gets_none(toys: Registry):
    with pytest.raises(UsageError) as caught:
        toys.resolve("quxquxqux")
    assert "did you mean" not in caught.value.hint
    assert "mlpzoo models" in caught.value.hint


def test_an_unknown_card_gets_a_near_match_of_its_family(toys: Registry):
    with pytest.raises(UsageError, match="family 'toy' has no model 'goood'") as caught:
        toys.resolve("toy/goood")
    assert "'toy/good'" in caught.value.hint


def test_an_unknown_benchmark_gets_a_near_match(toys: Registry):
    with pytest.raises(UsageError, match="unknown benchmark 're-force'") as caught:
        toys.benchmark("re-force")
    assert "re-forces" in caught.value.hint
    assert "mlpzoo benchmarks" in caught.value.hint
    assert "pip install" not in caught.value.hint


def test_the_name_of_a_broken_plugin_says_that_it_is_broken(site: Any):
    site.install("broken", "import no_such_framework")
    found = Registry(plugins.load())
    for ask in (found.backend, found.benchmark, found.resolve):
        with pytest.raises(
            PluginError, match=r"'broken' is installed but broken.*no_such_framework"
        ) as caught:
            ask("broken")
        assert "mlpzoo plugins" in caught.value.hint


def test_a_plugin_with_a_problem_still_gives_what_it_could_register(registry: Make):
    found = registry(x=backends("[Family('x', 'a')]") + benchmarks("[7]"))
    assert found.resolve("x").name == "x/a"


# -- model names ---------------------------------------------------------------------------------------


def test_a_family_alone_is_its_first_card(toys: Registry):
    spec = toys.resolve("toy")
    assert spec.name == "toy/good"
    assert spec.card is not None
    assert spec.card.name == "toy/good"
    assert spec.path is None


def test_the_default_card_is_the_first_that_is_valid(registry: Make):
    found = registry(odd=backends("[Family('x', 7, 'second', 'third')]"))
    assert found.resolve("x").name == "x/second"


def test_device_and_precision_are_passed_on(toys: Registry):
    spec = toys.resolve("toy/nan", device="cuda:1", dtype="float32")
    assert (spec.name, spec.device, spec.dtype) == ("toy/nan", "cuda:1", "float32")


def test_a_path_becomes_absolute_and_has_no_card(
    toys: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "my.model").write_bytes(b"w")
    monkeypatch.chdir(tmp_path)
    spec = toys.resolve("toy:my.model")
    assert spec.card is None
    assert spec.path == str(tmp_path / "my.model")
    assert spec.name == f"toy:{tmp_path / 'my.model'}"
    assert toys.resolve(spec.name) == spec


def test_a_home_path_is_expanded(toys: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "my.model").write_bytes(b"w")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert toys.resolve("toy:~/my.model").path == str(tmp_path / "my.model")


def test_a_path_may_hold_colons_slashes_and_stars(toys: Registry, tmp_path: Path):
    odd = tmp_path / "a:b*[1]"
    odd.write_bytes(b"w")
    assert toys.models([f"toy:{odd}"]) == (f"toy:{odd}",)


def test_a_missing_path_is_named(toys: Registry, tmp_path: Path):
    with pytest.raises(ModelError, match=r"nowhere\.model: no such file"):
        toys.resolve(f"toy:{tmp_path}/nowhere.model")


def test_a_path_of_an_unknown_family_is_about_the_family(toys: Registry):
    with pytest.raises(UsageError, match="unknown model family 'toi'"):
        toys.resolve("toi:/nowhere")


@pytest.mark.parametrize("name", ["", "/", ":", "toy/", "toy:", "/good", ":path", "toy/good:path"])
def test_a_malformed_name_is_refused_with_the_three_forms(toys: Registry, name: str):
    with pytest.raises(UsageError, match="is not a model name") as caught:
        toys.resolve(name)
    assert "FAMILY/CARD" in caught.value.hint


def test_a_family_without_cards_asks_for_weights(registry: Make):
    found = registry(bare=backends("[Family('bare')]"))
    with pytest.raises(UsageError, match="no model of its own") as caught:
        found.resolve("bare")
    assert "bare:PATH" in caught.value.hint


# -- globs ---------------------------------------------------------------------------------------------


def test_globs_go_over_card_names_and_repeats_are_dropped(toys: Registry):
    assert toys.models(["toy/s*"]) == ("toy/segfault", "toy/sys-exit")
    assert toys.models(["toy/sys-exit", "toy/s*", "toy", "toy/good"]) == (
        "toy/sys-exit",
        "toy/segfault",
        "toy/good",
    )


def test_order_is_the_users(toys: Registry):
    assert toys.models(["toy/nan", "emt", "toy/good"]) == ("toy/nan", "emt/emt", "toy/good")


def test_other_wildcards_work(toys: Registry):
    assert toys.models(["lj/?u"]) == ("lj/au", "lj/cu")
    assert toys.models(["lj/[ac]u"]) == ("lj/au", "lj/cu")


def test_a_star_alone_is_every_card(toys: Registry):
    assert toys.models(["*"]) == tuple(toys.cards)


def test_a_glob_that_matches_nothing_is_an_error(toys: Registry):
    with pytest.raises(UsageError, match=r"no model matches 'toy/q\*'"):
        toys.models(["emt", "toy/q*"])


def test_a_glob_of_an_unknown_family_gets_a_near_match(toys: Registry):
    with pytest.raises(UsageError, match="'tersof") as caught:
        toys.models(["tersof/*"])
    assert "'tersoff'" in caught.value.hint


def test_a_glob_of_a_clashing_family_names_both_plugins(registry: Make):
    found = registry(first=backends("[Family('dup', 'a')]"), second=backends("[Family('dup', 'b')]"))
    with pytest.raises(PluginError, match=r"first.*second"):
        found.models(["dup/*"])


def test_one_unknown_name_among_good_ones_stops(toys: Registry):
    with pytest.raises(UsageError, match="'emmt'"):
        toys.models(["emt", "emmt"])


# -- weights -------------------------------------------------------------------------------------------


def weighty(site: Any, *, sha256: str, **checkpoint: Any) -> Registry:
    """A registry with an installed plugin ``w`` whose card ``w/a`` names a checkpoint."""
    more = "".join(f", {k}={v!r}" for k, v in checkpoint.items())
    card = (
        "ModelCard(name='w/a', family='w', elements=('Cu',), properties=('energy',), checkpoint=checkpoint)"
    )
    site.install(
        "zoo-w",
        f"checkpoint = Checkpoint(sha256={sha256!r}, size_bytes=3{more})\n"
        + backends(f"[Family('w', {card})]"),
    )
    return Registry(plugins.load())


SHA_ABC = hashlib.sha256(b"abc").hexdigest()


def test_packaged_weights_are_found_beside_the_plugin(site: Any):
    (site.path / "models").mkdir()
    (site.path / "models" / "w.bin").write_bytes(b"abc")
    spec = weighty(site, sha256=SHA_ABC, file="models/w.bin").resolve("w")
    assert spec.path == str(site.path / "models" / "w.bin")


def test_altered_weights_are_refused_with_both_hashes(site: Any):
    (site.path / "w.bin").write_bytes(b"abd")
    found = weighty(site, sha256=SHA_ABC, file="w.bin")
    with pytest.raises(ModelError, match="altered") as caught:
        found.resolve("w/a")
    assert SHA_ABC in caught.value.message
    assert hashlib.sha256(b"abd").hexdigest() in caught.value.message
    assert caught.value.hint


def test_missing_weights_are_named(site: Any):
    found = weighty(site, sha256=SHA_ABC, file="w.bin")
    with pytest.raises(ModelError, match=r"w/a: .*w\.bin is missing"):
        found.resolve("w")


def test_globs_take_what_is_at_hand_and_tell_what_is_not(site: Any):
    """A family of foundation models need not be fetched to compare its small one."""
    card = "ModelCard(name='w/a', family='w', elements=('Cu',), properties=('energy',), checkpoint=away)"
    site.install(
        "zoo-w",
        "away = Checkpoint(url='https://example.org/w.bin')\n" + backends(f"[Family('w', {card}, 'b')]"),
    )
    found = Registry(plugins.load())
    assert found.local_models[-1:] == ("w/b",)
    assert found.models(["w/*"]) == ("w/b",)
    assert found.not_fetched(["w/*", "w/a"]) == ("w/a",)
    assert found.models(["w/*"], resolve=False) == ("w/a", "w/b")
    for named in (["w/a"], ["w/a*"]):
        with pytest.raises(ModelError, match="w/a are not") as caught:
            found.models(named)
        assert "mlpzoo fetch w/a" in caught.value.hint


def test_weights_of_a_package_are_left_to_the_backend(site: Any):
    """They are in the family's environment, which is not here."""
    spec = weighty(site, sha256=SHA_ABC, file="w.bin", package="framework").resolve("w")
    assert spec.path is None
    assert spec.card.checkpoint.sha256 == SHA_ABC


def test_a_path_is_no_card_to_fetch(toys: Registry):
    """It once stood for the family's default model."""
    with pytest.raises(UsageError, match="'emt:x' is a file of yours"):
        toys.models(["emt:x"], resolve=False)


def test_listing_cards_does_not_touch_the_weights(site: Any):
    assert "w/a" in weighty(site, sha256=SHA_ABC, file="w.bin").cards


def test_the_hash_of_a_file_is_sha256(tmp_path: Path):
    (tmp_path / "w").write_bytes(b"abc")
    assert file_sha256(tmp_path / "w") == SHA_ABC


def test_the_hash_of_a_directory_covers_names_and_contents(tmp_path: Path):
    def tree(name: str, **files: str) -> str:
        for path, text in files.items():
            file = tmp_path / name / path.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return file_sha256(tmp_path / name)

    hashes = [
        tree("one", a="1", b__c="2"),
        tree("two", a="1", b__c="3"),
        tree("three", a="1", b__d="2"),
        tree("four", a="12", b__c=""),
        tree("five", a="1"),
    ]
    assert len(set(hashes)) == len(hashes)
    assert tree("again", b__c="2", a="1") == hashes[0]


# -- where things run ----------------------------------------------------------------------------------


def test_a_family_runs_here_only_if_all_it_requires_is_importable(registry: Make):
    found = registry(
        some=backends(
            "[Family('none'), Family('all', requires=('json', 'os.path')), "
            "Family('missing', requires=('json', 'no_such_framework')), "
            "Family('submodule', requires=('no_such_framework.sub',))]"
        )
    )
    assert [f for f in ("none", "all", "missing", "submodule") if found.runs_here(f)] == ["none", "all"]


# -- cases ---------------------------------------------------------------------------------------------


@pytest.fixture
def cased(registry: Make) -> Registry:
    """A registry with two benchmarks that have cases."""
    return registry(
        some=benchmarks(
            "[benchmark('b', Case(name='si-vac', system='x-si', elements=('Si',)), "
            "Case(name='si-int', system='x-si', elements=('Si',)), "
            "Case(name='li-ion', system='li3n', elements=('Li', 'N'))), "
            "benchmark('c', Case(name='si-eos', system='x-si', elements=('Si',)))]"
        )
    )


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (["x-si"], ["si-vac", "si-int"]),
        (["si-vac"], ["si-vac"]),
        (["si-*"], ["si-vac", "si-int"]),
        (["li*"], ["li-ion"]),
        (["*"], ["si-vac", "si-int", "li-ion"]),
        (["li3n", "si-int"], ["si-int", "li-ion"]),
        (["x-si", "si-vac"], ["si-vac", "si-int"]),
        (["x"], []),
        ([], []),
    ],
)
def test_cases_are_selected_by_system_name_and_glob(cased: Registry, wanted: list[str], names: list[str]):
    assert [c.name for c in cased.select_cases(cased.benchmark("b").item, wanted)] == names


def test_a_system_lists_its_cases_of_every_benchmark(cased: Registry):
    assert [(b, c.name) for b, c in cased.systems["x-si"]] == [
        ("b", "si-vac"),
        ("b", "si-int"),
        ("c", "si-eos"),
    ]
    assert list(cased.systems) == sorted(cased.systems)


def test_cases_see_the_data_sets_of_every_plugin(registry: Make):
    found = registry(
        data=datasets("[DatasetSpec(name='d', kind='my-kind', system='s', elements=('Cu',))]"),
        bench="""
        def cases(datasets):
            mine = [d for d in datasets if d.kind == "my-kind"]
            return [Case(name=d.name, system=d.system, elements=d.elements) for d in mine]
        @hookimpl
        def mlpzoo_register_benchmarks():
            return [BenchmarkSpec(name="b", version=1, title="", quantities=(), cases=cases, run=print)]
        """,
    )
    assert [c.name for c in found.cases(found.benchmark("b").item)] == ["d"]

# The commands that people type.  https://just.systems

default:
    @just --list

# fast tests
test *args:
    uv run pytest {{args}}

# tests that create real framework environments: minutes, gigabytes
test-environments:
    uv run pytest -m environments

# style, types, layers
lint:
    uv run ruff check
    uv run ruff format --check
    uv run mypy
    uv run lint-imports

# rewrite the command output in README.md
docs:
    uv run python docs/readme_output.py --write

# the main job
compare *args:
    uv run mlpzoo compare --models mace,nequip {{args}}

# overhead of the calculator and of the worker, side by side
overhead:
    uv run python benchmarks/overhead.py

# our physics beside matcalc's: CPU time and force calls
against-matcalc:
    uv run --with matcalc python benchmarks/against_matcalc.py

# time and memory of the event analysis on 100,000 frames
event-analysis:
    uv run python benchmarks/event_analysis.py

"""Keeps the command output in README.md true, and in any other page.

A block like this one holds what the command prints; ``needs`` names what it takes to run::

    <!-- output: mlpzoo compare --models tersoff -->
    ```
    ...
    ```

Run:  uv run python docs/readme_output.py            compares (numbers up to two units of their last digit)
      uv run python docs/readme_output.py --write    writes them anew
      ... --environments                             also those marked ``output (environments):``
      ... --page docs/fleet.md                       of another page
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
BLOCK = re.compile(
    r"<!-- output(?P<needs> \(environments\))?: (?P<command>[^\n]*?) -->\n"
    r"```[a-z]*\n(?P<text>.*?)```",
    re.DOTALL,
)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def run(command: str) -> str:
    """What a ``mlpzoo ...`` command prints to stdout, without trailing white space."""
    arguments = shlex.split(command)
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"'{command}' ended with {done.returncode}:\n{done.stderr}")
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


def same(old: str, new: str) -> bool:
    """Whether two outputs agree: words exactly, numbers up to two units of their last digit, ≈ marks not."""
    words, numbers = [], []
    for text in (old, new):
        text = text.replace("≈", " ")  # noqa: PLW2901  (a tie may tip over with the last digit)
        numbers.append(NUMBER.findall(text))
        words.append(NUMBER.sub("0", text).split())
    if words[0] != words[1]:
        return False
    return all(abs(float(a) - float(b)) <= 2.001 * _unit(a) for a, b in zip(*numbers, strict=True))


def _unit(number: str) -> float:
    return 10.0 ** -len(number.partition(".")[2])


def stale(text: str, *, environments: bool) -> list[tuple[str, str, str]]:
    """(command, text in the README, output now) of every block that is not true any more."""
    found = []
    for match in BLOCK.finditer(text):
        if match["needs"] and not environments:
            continue
        now = run(match["command"])
        if not same(match["text"], now):
            found.append((match["command"], match["text"], now))
    return found


def main() -> None:
    """Check, or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--environments", action="store_true")
    parser.add_argument("--page", type=Path, default=README)
    options = parser.parse_args()
    page = options.page
    text = page.read_text(encoding="utf-8")
    if options.write:

        def anew(match: re.Match[str]) -> str:
            if match["needs"] and not options.environments:
                return match[0]
            head = match[0][: match.start("text") - match.start()]
            return f"{head}{run(match['command'])}```"

        page.write_text(BLOCK.sub(anew, text), encoding="utf-8")
        return
    bad = stale(text, environments=options.environments)
    for command, old, now in bad:
        print(f"{page.name}: '{command}' prints something else:\n--- {page.name}\n{old}\n--- now\n{now}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()

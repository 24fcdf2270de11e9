"""``python -m mlpzoo`` is ``mlpzoo``."""

from mlpzoo.cli import main

main()

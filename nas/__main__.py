"""``python -m nas``: the command line where no ``nas`` is on the path."""

from nas.cli import main

main()

"""``python -m tfticket``."""

from tfticket.cli import main

main()

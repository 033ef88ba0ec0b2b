"""`python -m console` is `tidings`."""

from console.cli import main

main()

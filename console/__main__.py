"""`python -m console` is `tidings`."""

from console.cli.main import main

main()

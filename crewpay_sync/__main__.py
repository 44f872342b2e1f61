"""`python -m crewpay_sync` is the crewpay command."""

from crewpay_sync.cli import main

main()

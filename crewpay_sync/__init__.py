"""CrewPay's Python side: deploy, importers, graph sync and the `crewpay` command. Pay logic lives in SQL."""

__version__ = "0.1.0"

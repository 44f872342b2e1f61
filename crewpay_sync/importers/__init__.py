"""Importers: real departures with an inferred roster, CSV files, contracts, and synthetic load."""

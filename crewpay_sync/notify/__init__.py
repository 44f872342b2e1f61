"""Delivery of notifications: channels, and the worker that empties the outbox. Whom to tell what is decided in the database."""

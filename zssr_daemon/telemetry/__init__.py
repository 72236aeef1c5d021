"""Telemetry: what the outside is told: log, metrics, status."""

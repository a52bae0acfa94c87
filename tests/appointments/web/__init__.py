"""The web process: pages, health, metrics, dashboard and admin."""

"""What others may want to hear: sent after the fact is written, never inside a transaction of ours."""

from django.dispatch import Signal

token_stored = Signal()
"""A token that can be used now was stored. Arguments: site, now."""

cost_rose = Signal()
"""A challenge costs ten times the usual or more: a request to slow down. Arguments: site, ratio, now."""

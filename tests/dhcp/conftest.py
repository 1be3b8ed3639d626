"""Fixtures of the DHCP tests."""

from tests.dhcp.world import world

__all__ = ["world"]

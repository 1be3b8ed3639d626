"""Why ARP, IP, ICMP, UDP and DHCP do what they do: the reasons, by the word that the code says."""

from __future__ import annotations

from stack.trace.reason import Reason

INTERNET_REASONS: dict[str, Reason] = {}

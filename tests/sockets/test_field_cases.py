"""What programs do with their sockets has the same outcome over our hosts as over the kernel's
loopback.
"""

from __future__ import annotations

import pytest

from tests.requirements import rfc
from tests.sockets.field_cases import FIELD_CASES
from tests.sockets.worlds import run_in_the_kernel, run_in_the_stack

CLAUSES = {
    "a_reset_before_accept": ("sockets-1", "sockets-4"),
    "a_reset_leaves_its_place_in_the_accept_queue": ("sockets-1",),
    "shutting_down_reading_lets_the_rest_be_read": ("sockets-2",),
    "unread_data_after_shutting_down_reading_resets": ("sockets-2",),
    "data_after_both_ends_were_shut_down_resets": ("sockets-3",),
    "shutting_down_while_connecting": ("sockets-5",),
    "two_idle_sockets_on_one_port": ("sockets-6",),
    "two_idle_sockets_connect_from_one_port": ("sockets-6",),
    "datagrams_to_no_port": ("sockets-7",),
    "throwing_data_away": ("sockets-8",),
    "gathering_a_datagram": ("sockets-9",),
    "corking_a_datagram": ("sockets-9",),
    "shutting_down_while_gathering": ("sockets-9",),
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=rfc(*CLAUSES[name])) for name in FIELD_CASES])
def test_same_as_the_kernel(name: str) -> None:
    expected, got = run_in_the_kernel(FIELD_CASES[name]), run_in_the_stack(FIELD_CASES[name])
    assert got == expected

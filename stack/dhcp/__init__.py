"""The DHCP client as a pure machine: RFC 2131, with RFC 2132's options.

Read `states.py` first (the states and what may lead from one to another), then `client.py` beside RFC 2131 section
4.4. What a server may make us believe stands in `parameters.py`, which of several is preferred in `choice.py`. Nothing
here waits, sends or reads a clock: time comes in as `now`, and what the client wants of its host it says to
`below.Below`.
"""

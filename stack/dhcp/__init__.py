"""The DHCP client as a pure machine: RFC 2131, with RFC 2132's options.

Read `states.py` first (the states and the legal transitions), then `client.py` beside RFC 2131
section 4.4. `parameters.py` decides which values of a server are accepted, `choice.py` which of
several offers is taken. Nothing here waits, sends or reads a clock: time comes in as `now`, and
the client acts on its host through `client_host.ClientHost`.
"""

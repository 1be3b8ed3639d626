"""UDP: ports and the datagrams that wait at them.

Read `endpoint.py` for a socket's side, `ports.py` for the wire's.
"""

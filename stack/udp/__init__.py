"""UDP: ports, endpoints, and queues of received datagrams.

Read `endpoint.py` for the calls of a socket, and `ports.py` for datagrams from the network.
"""

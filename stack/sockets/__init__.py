"""The only folder that waits: trio sockets over the protocol code, the loop that runs it, and the host programs see."""

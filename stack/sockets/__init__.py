"""The only folder that waits: trio sockets, the loop that runs a host, and the public `Host`."""

"""One host, made of the layers: interfaces, demultiplexing, deadlines, and the barrier."""

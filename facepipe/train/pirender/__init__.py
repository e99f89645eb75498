"""Training of PIRenderer: the network of the paper and the compact one."""

"""Training of PIRenderer: the published network and the compact one."""

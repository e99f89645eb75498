"""PIRenderer at a size made for a CPU, drawing on top of the mesh renderer."""

"""Jobs: how stages are put together for a command, what is checked before, and how a result reaches its place."""

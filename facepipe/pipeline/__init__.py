"""Jobs: the stages of each command, the checks before the work, and the delivery of results."""

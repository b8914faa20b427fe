"""What belongs to the owner: the log, the numbers, blocks, the desk's values, what may be read."""

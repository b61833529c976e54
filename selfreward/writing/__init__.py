"""New prompts that a model writes: how they are asked for, read, filtered, and what is kept of each."""

"""The ladder: what the stack is tried with against this machine's kernel, rung by rung."""

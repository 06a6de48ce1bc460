"""Other nodes: the agent that lives on each of them, and the manager's end of the line to it."""

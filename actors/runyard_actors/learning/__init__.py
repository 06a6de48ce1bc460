"""What past runs of a module tell: what the next one should ask for, and what its module could ask for instead."""

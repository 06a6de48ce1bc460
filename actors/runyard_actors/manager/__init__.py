"""The RunManager: the actor that holds the semaphore, the queue and the active runs. One verb, one file."""

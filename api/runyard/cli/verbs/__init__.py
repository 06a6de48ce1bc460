"""One file for each verb; each defines `command`."""

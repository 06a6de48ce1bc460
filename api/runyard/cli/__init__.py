"""The command line: `main` holds the group; each verb is a file in `verbs`, imported only when called."""

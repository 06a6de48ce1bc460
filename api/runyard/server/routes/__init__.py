"""The routes of the REST API, one noun a file."""

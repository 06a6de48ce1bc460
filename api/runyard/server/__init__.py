"""The API server: REST, live streams and the page, over one RunManager."""

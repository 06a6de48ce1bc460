"""What people look at: the web page and the dashboard files."""

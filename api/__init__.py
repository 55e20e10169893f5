"""Programs: the command line and, around the same pipeline, the service."""

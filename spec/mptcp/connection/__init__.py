"""The connection is RFC 8684: a folder cut by its sections; ``connection.py`` is the contents page."""

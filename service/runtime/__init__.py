"""The production shell that every server loads around any WSGI application."""

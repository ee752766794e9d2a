"""What differs from server to server: a few lines each, called from native configuration."""

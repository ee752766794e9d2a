"""Moorings: deploy one Flask app on many servers, and prove that each deployment works."""

"""What an app leans on: a running one, a program, an image, or a build."""

"""Where results go: files, a window."""

"""Qt-free models of the window's contents; they can be used and tested without a window."""

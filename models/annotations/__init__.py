"""Labels of our own, as data; see README.md beside this file."""

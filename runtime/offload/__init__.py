"""Experts of a mixture-of-experts model kept in a file of their own, and brought into memory when they are chosen."""

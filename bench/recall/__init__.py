"""Recall on long conversations of two people (LoCoMo), beside plainer ways to search them."""

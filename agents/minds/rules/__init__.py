"""Reading by rules, banks of examples and small classifiers: what only the reader's mind needs."""

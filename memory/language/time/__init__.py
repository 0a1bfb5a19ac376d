"""Times of day, lengths of time and days, as English has them: found in a text, and what they mean."""

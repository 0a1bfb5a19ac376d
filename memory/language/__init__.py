"""English as the house reads it. A text comes in; its words, their stems and its sentences go out, the same for everybody."""

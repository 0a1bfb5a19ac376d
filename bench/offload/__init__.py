"""Expert offloading beside what an unchanged llama.cpp can do in the same memory."""

"""Conversion of published weights into the GGUF files that llama.cpp runs."""

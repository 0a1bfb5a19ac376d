"""`kith bench engine`: the engine beside `llama_cpp.Llama`, in turns on the same machine; one module a measurement."""

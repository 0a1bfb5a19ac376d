"""Tools that compute: in come collected entries, out goes a result with what it rests on."""

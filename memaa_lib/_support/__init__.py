"""What is no part of the method: errors, cache, processes, files, compiled loops."""

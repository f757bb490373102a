"""The two small networks, apart from the other systems because torch takes seconds to import."""

"""The same API, once per framework, written the way that framework's own documentation writes it."""

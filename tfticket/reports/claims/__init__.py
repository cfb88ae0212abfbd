"""Claims of the papers: what each claims, when a verdict is given, and how it is decided."""

"""A reporter for benchmarks."""


class Quiet:
    """A reporter that says nothing."""

    def say(self, line: str) -> None:
        """Says nothing."""

    def progress(self, title: str, total: int | None, unit: str) -> "Quiet":
        """No bar."""
        return self

    def __enter__(self):
        """Counts nothing."""
        return lambda _: None

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

"""A dict whose keys are symbolic: looked through, never hashed."""

from typing import Any


class SymTable:
    """As much of a dict as a lookup by number needs."""

    def __init__(self, entries: list[tuple[Any, Any]]) -> None:
        self.entries: list[tuple[Any, Any]] = []
        for key, value in entries:
            self[key] = value

    def __contains__(self, key: object) -> bool:
        return any(bool(one == key) for one, _ in self.entries)

    def __getitem__(self, key: Any) -> Any:
        value = self.get(key, self)
        if value is self:
            raise KeyError("no such key")
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        for at, (one, _) in enumerate(self.entries):
            if one == key:
                self.entries[at] = (one, value)
                return
        self.entries.append((key, value))

    def get(self, key: Any, default: Any = None) -> Any:
        """As of dict."""
        for one, value in self.entries:
            if one == key:
                return value
        return default

    def __len__(self) -> int:
        return len(self.entries)

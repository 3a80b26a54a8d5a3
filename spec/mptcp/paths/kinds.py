"""The path managers by name."""

from mptcp.choices import FULLMESH
from mptcp.paths.fullmesh import FullMesh
from mptcp.paths.manager import PathManager


def make_manager(paths: str) -> PathManager:
    """A new path manager of the kind that ``Choices.paths`` names."""
    if paths == FULLMESH:
        return FullMesh()
    return PathManager()

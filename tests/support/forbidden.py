"""Libraries that must not be imported for a while."""

import importlib.abc
import importlib.machinery
import sys


class Forbidden(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds libraries, so that others see that they are installed, and refuses to load them.

    Args:
        names: set of str. Which.
        reason: str. What the error says.
    """

    def __init__(self, names: set[str], reason: str):
        self.names, self.reason = names, reason

    def find_spec(self, name, path, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name in self.names else None

    def exec_module(self, module):
        raise ImportError(f"{module.__name__}: {self.reason}")


def forbid(patch, names: set[str], reason: str) -> None:
    """Forbid libraries, also those that are imported already.

    Args:
        patch: pytest.MonkeyPatch. Takes it back.
        names: set of str. Which.
        reason: str. What the error says.
    """
    for name in names:
        # To be there as None would not do: Keras takes a name in `sys.modules` for the module.
        patch.delitem(sys.modules, name, raising=False)
    patch.setattr(sys, "meta_path", [Forbidden(names, reason), *sys.meta_path])

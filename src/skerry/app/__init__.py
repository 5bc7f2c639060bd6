"""Declare an app and serve it."""

from .app import App
from .declare import Routes

__all__ = ["App", "Routes"]

"""placeholder"""

from .header import Header
from .shapes import Api


def plain_module(api: Api, header: Header, *, width: int = 88) -> str:
    return ""

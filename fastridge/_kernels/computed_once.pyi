from collections.abc import Callable
from typing import Generic, Self, TypeVar, overload

T = TypeVar("T")

class computed_once(Generic[T]):  # noqa: N801  used as a decorator
    def __init__(self, compute: Callable[..., T]) -> None: ...
    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

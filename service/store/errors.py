"""What the rules of the shop can refuse; the pages and the API show the same sentence."""

from typing import ClassVar


class StoreError(Exception):
    """Carries one sentence for the customer."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "conflict"


class NotFound(StoreError):
    status = 404
    code = "not_found"


class OutOfStock(StoreError):
    code = "out_of_stock"


class CartEmpty(StoreError):
    code = "cart_empty"


class EmailTaken(StoreError):
    code = "email_taken"


class WrongCredentials(StoreError):
    status = 401
    code = "wrong_credentials"


class NotLoggedIn(StoreError):
    status = 401
    code = "not_logged_in"


class KeyReused(StoreError):
    status = 422
    code = "idempotency_key_reused"

"""What the rules of the shop can refuse; the pages and the API show the same sentence."""


class StoreError(Exception):
    """Carries one sentence for the customer; `code` is a stable word for programs."""

    status, code = 409, "conflict"


class NotFound(StoreError):
    status, code = 404, "not_found"


class OutOfStock(StoreError):
    code = "out_of_stock"


class CartEmpty(StoreError):
    code = "cart_empty"


class EmailTaken(StoreError):
    code = "email_taken"


class WrongCredentials(StoreError):
    status, code = 401, "wrong_credentials"


class NotLoggedIn(StoreError):
    status, code = 401, "not_logged_in"


class KeyReused(StoreError):
    status, code = 422, "idempotency_key_reused"

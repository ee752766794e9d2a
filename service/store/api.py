"""The JSON API. No cookie is needed to shop: a cart's id is its key."""

from flask import Blueprint, Response, current_app, jsonify, session, url_for

from store import carts, catalogue, db, orders, schemas, users
from store.errors import NotLoggedIn
from store.models import Cart, Category, Order, Product, User
from store.openapi import Created, document, operation

api = Blueprint("api", __name__, url_prefix="/api")


@api.get("/openapi.json")
def openapi() -> Response:
    return jsonify(document(current_app))


@api.get("/categories")
@operation(schemas.Categories)
def list_categories() -> dict[str, list[Category]]:
    """The categories, in the order of the shop."""
    return {"items": catalogue.categories(db.session())}


@api.get("/products")
@operation(schemas.ProductPage)
def list_products(query: schemas.ProductQuery) -> dict[str, object]:
    """Products, by category and by words in name or description, page by page."""
    page = catalogue.search(db.session(), query.q, query.category, query.page, query.per_page)
    following = query.model_copy(update={"page": page.next}).model_dump(exclude_defaults=True)
    return {
        "items": page.items,
        "page": page.number,
        "per_page": page.size,
        "total": page.total,
        "next": url_for("api.list_products", **following) if page.next else None,
    }


@api.get("/products/<sku:sku>")
@operation(schemas.ProductOut, problems=(404,))
def get_product(sku: str) -> Product:
    """One product."""
    return catalogue.product(db.session(), sku)


@api.post("/carts")
@operation(schemas.CartOut, 201)
def create_cart() -> Created[Cart]:
    """A new, empty cart. Its id is secret: whoever knows it may fill and order it."""
    cart = carts.create(db.session())
    return cart, 201, url_for("api.get_cart", cart_id=cart.id)


@api.get("/carts/<cart_id:cart_id>")
@operation(schemas.CartOut, problems=(404,))
def get_cart(cart_id: str) -> Cart:
    """What is in a cart."""
    return carts.find(db.session(), cart_id)


@api.put("/carts/<cart_id:cart_id>/items/<sku:sku>")
@operation(schemas.CartOut, problems=(404,))
def put_item(cart_id: str, sku: str, body: schemas.Quantity) -> Cart:
    """Set how many of a product are in the cart."""
    return carts.put(db.session(), cart_id, sku, body.quantity)


@api.post("/orders")
@operation(schemas.OrderOut, 201, 200, problems=(404, 409))
def place_order(body: schemas.NewOrder, headers: schemas.OrderHeaders) -> Created[Order]:
    """Order what is in a cart; the cart is empty afterwards.

    201 for a new order, 200 for the same order again (same Idempotency-Key, same body).
    409 where the cart is empty or the stock does not suffice: then nothing has changed.
    """
    user, key = current_user(), headers.idempotency_key
    order, new = orders.place(db.session(), body.cart_id, user, body.email, key)
    return order, 201 if new else 200, url_for("api.get_order", number=order.number)


@api.get("/orders/<number:number>")
@operation(schemas.OrderOut, problems=(404,))
def get_order(number: str) -> Order:
    """One order. A guest's is open to whoever knows its number, an account's only to it."""
    return orders.find(db.session(), number, current_user())


@api.get("/orders")
@operation(schemas.Orders, problems=(401,))
def list_orders() -> dict[str, list[Order]]:
    """The newest hundred orders of the account."""
    user = current_user()
    if user is None:
        raise NotLoggedIn("Log in first: POST /api/session.")
    return {"items": orders.history(db.session(), user)}


@api.post("/users")
@operation(schemas.UserOut, 201, problems=(409,))
def sign_up(body: schemas.Credentials) -> User:
    """A new account. It is not logged in by this."""
    return users.sign_up(db.session(), body.email, body.password)


@api.post("/session")
@operation(schemas.Account, problems=(401,))
def log_in(body: schemas.Credentials) -> dict[str, str]:
    """Log in: the answer sets the session cookie and names the account's cart."""
    user, cart = users.log_in(db.session(), body.email, body.password, session.get("cart"))
    start_session(user, cart)
    return {"email": user.email, "cart_id": cart.id}


@api.delete("/session")
@operation(None, 204)
def log_out() -> None:
    """Log out."""
    session.clear()


def current_user() -> User | None:
    """Whose session this is, as long as the account exists."""
    number = session.get("user")
    return db.session().get(User, number) if number is not None else None


def start_session(user: User, cart: Cart) -> None:
    """Forget what the guest's session held, so that nobody can have planted it."""
    session.clear()
    session["user"], session["cart"] = user.id, cart.id

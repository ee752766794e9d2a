"""The JSON API. No cookie is needed to shop: a cart's id is its key."""

from flask import Blueprint, Response, current_app, jsonify, session, url_for

from store import carts, catalogue, db, orders, schemas, users
from store.errors import NotLoggedIn
from store.models import Order, User
from store.openapi import document, operation

api = Blueprint("api", __name__, url_prefix="/api")


@api.get("/openapi.json")
def openapi() -> Response:
    return jsonify(document(current_app))


@api.get("/categories")
@operation(200)
def list_categories() -> schemas.Categories:
    """The categories, in the order of the shop."""
    found = catalogue.categories(db.session())
    return schemas.Categories(items=[schemas.CategoryOut.model_validate(item) for item in found])


@api.get("/products")
@operation(200)
def list_products(query: schemas.ProductQuery) -> schemas.ProductPage:
    """Products, by category and by words in name or description, page by page."""
    page = catalogue.search(db.session(), query.q, query.category, query.page, query.per_page)
    following = query.model_copy(update={"page": page.next}).model_dump(exclude_defaults=True)
    return schemas.ProductPage(
        items=[schemas.ProductOut.model_validate(item) for item in page.items],
        page=page.number,
        per_page=page.size,
        total=page.total,
        next=url_for("api.list_products", **following) if page.next else None,
    )


@api.get("/products/<sku:sku>")
@operation(200, problems=(404,))
def get_product(sku: str) -> schemas.ProductOut:
    """One product."""
    return schemas.ProductOut.model_validate(catalogue.product(db.session(), sku))


@api.post("/carts")
@operation(201)
def create_cart() -> tuple[schemas.CartOut, int, dict[str, str]]:
    """A new, empty cart. Its id is secret: whoever knows it may fill and order it."""
    cart = carts.create(db.session())
    location = url_for("api.get_cart", cart_id=cart.id)
    return schemas.CartOut.model_validate(cart), 201, {"Location": location}


@api.get("/carts/<cart_id:cart_id>")
@operation(200, problems=(404,))
def get_cart(cart_id: str) -> schemas.CartOut:
    """What is in a cart."""
    return schemas.CartOut.model_validate(carts.find(db.session(), cart_id))


@api.put("/carts/<cart_id:cart_id>/items/<sku:sku>")
@operation(200, problems=(404,))
def put_item(cart_id: str, sku: str, body: schemas.Quantity) -> schemas.CartOut:
    """Set how many of a product are in the cart."""
    return schemas.CartOut.model_validate(carts.put(db.session(), cart_id, sku, body.quantity))


@api.post("/orders")
@operation(201, 200, problems=(404, 409))
def place_order(
    body: schemas.NewOrder, headers: schemas.OrderHeaders
) -> tuple[schemas.OrderOut, int, dict[str, str]]:
    """Order what is in a cart; the cart is empty afterwards.

    201 for a new order, 200 for the same order again (same Idempotency-Key, same body).
    409 where the cart is empty or the stock does not suffice: then nothing has changed.
    """
    user = current_user()
    key = headers.idempotency_key
    order, new = orders.place(db.session(), body.cart_id, user, body.email, key)
    location = url_for("api.get_order", number=order.number)
    return _order(order), 201 if new else 200, {"Location": location}


@api.get("/orders/<number:number>")
@operation(200, problems=(404,))
def get_order(number: str) -> schemas.OrderOut:
    """One order. A guest's is open to whoever knows its number, an account's only to it."""
    return _order(orders.find(db.session(), number, current_user()))


@api.get("/orders")
@operation(200, problems=(401,))
def list_orders() -> schemas.Orders:
    """The newest hundred orders of the account."""
    user = current_user()
    if user is None:
        raise NotLoggedIn("Log in first: POST /api/session.")
    return schemas.Orders(items=[_order(order) for order in orders.history(db.session(), user)])


@api.post("/users")
@operation(201, problems=(409,))
def sign_up(body: schemas.Credentials) -> schemas.UserOut:
    """A new account. It is not logged in by this."""
    return schemas.UserOut.model_validate(users.sign_up(db.session(), body.email, body.password))


@api.post("/session")
@operation(200, problems=(401,))
def log_in(body: schemas.Credentials) -> schemas.Account:
    """Log in: the answer sets the session cookie and names the account's cart."""
    user, cart = users.log_in(db.session(), body.email, body.password, session.get("cart"))
    start_session(user, cart.id)
    return schemas.Account(email=user.email, cart_id=cart.id)


@api.delete("/session")
@operation(204)
def log_out() -> None:
    """Log out."""
    session.clear()


def _order(order: Order) -> schemas.OrderOut:
    return schemas.OrderOut.model_validate(order)


def current_user() -> User | None:
    """Whose session this is, as long as the account exists."""
    number = session.get("user")
    return db.session().get(User, number) if number is not None else None


def start_session(user: User, cart_id: str) -> None:
    """Forget what the guest's session held, so that nobody can have planted it."""
    session.clear()
    session["user"], session["cart"] = user.id, cart_id

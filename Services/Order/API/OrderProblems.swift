import HTTP

extension ProblemKind {
    /// What Order answers beside what every service can.
    static let ofOrder = [
        idempotencyKeyInUse, idempotencyKeyReused, orderDispatched, orderEnded, orderNotShipped, orderRejected,
        priceChanged,
    ]

    static let idempotencyKeyInUse = ProblemKind(
        "idempotency-key-in-use",
        status: 409,
        title: "A request with this key is still running",
        meaning: "Another request with the same Idempotency-Key is being worked on. This one has done nothing.",
        mend: "Repeat the request after `Retry-After` seconds: it gets the answer of the first."
    )

    static let idempotencyKeyReused = ProblemKind(
        "idempotency-key-reused",
        status: 422,
        title: "The key belongs to another request",
        meaning: "The Idempotency-Key was used with another body less than 24 hours ago. Nothing was done.",
        mend: "Use a new key for a new order, and the same body to repeat one."
    )

    static let orderDispatched = ProblemKind(
        "order-dispatched",
        status: 409,
        title: "The parcel is on its way",
        meaning: "The courier has the order's parcel: it cannot be cancelled and cannot be sent elsewhere any more.",
        mend: "Refuse the parcel or send it back; `GET /orders/{id}` shows where it goes and its tracking code."
    )

    static let orderEnded = ProblemKind(
        "order-ended",
        status: 409,
        title: "The order is not sent anywhere",
        meaning: "The order is cancelled or rejected, or was given a thousand addresses. Its address was not changed.",
        mend: "Place a new order with the right address."
    )

    static let orderNotShipped = ProblemKind(
        "order-not-shipped",
        status: 409,
        title: "The order has no parcel",
        meaning: "The shop does not ship, or did not when the order was placed. No address was kept.",
        mend: "Nothing is to be done; a shop ships where `SHOP_CONTEXTS` names shipping."
    )

    static let orderRejected = ProblemKind(
        "order-rejected",
        status: 409,
        title: "The order is rejected",
        meaning: """
            The payment was declined, or there was no stock, so there is nothing to cancel. Nothing is charged; what was charged \
            too late goes back by itself.
            """,
        mend: """
            Nothing is left to do; `GET /orders/{id}` shows why it was rejected. Place a new order, with another payment method \
            where that was declined.
            """
    )

    static let priceChanged = ProblemKind(
        "price-changed",
        status: 409,
        title: "A price is another one now",
        meaning: "The shop sells a product of the order at another price than the request says. Nothing was ordered.",
        mend:
            "Show the customer the prices that `errors` names, and send the order again with them or without `unitPrice`."
    )
}

import HTTP

extension ProblemKind {
    /// What Order answers beside what every service can.
    static let ofOrder = [
        idempotencyKeyInUse, idempotencyKeyReused, orderDispatched, orderEnded, orderLeftEmpty, orderNotShipped,
        orderRejected, orderUndecided, priceChanged,
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
        title: "The order has ended",
        meaning: """
            The order is cancelled or rejected, or was given a thousand addresses, or was cancelled in a thousand parts. Nothing \
            was changed.
            """,
        mend: "Place a new order."
    )

    static let orderLeftEmpty = ProblemKind(
        "order-left-empty",
        status: 409,
        title: "Nothing would be left of the order",
        meaning: "The lines that are to stay cost nothing, or there are none. Nothing was cancelled.",
        mend: "Cancel the whole order with `POST /orders/{id}/cancel`."
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

    static let orderUndecided = ProblemKind(
        "order-undecided",
        status: 409,
        title: "The order is not decided yet",
        meaning: """
            Somebody has still to say yes to the order, or takes for good what it reserved, or gives its money back: none of it can \
            be cancelled alone until that is done. Nothing was cancelled.
            """,
        mend: """
            Try again in a moment; `GET /orders/{id}` shows `confirmed` when it is decided. The whole order can be cancelled at \
            any time, with `POST /orders/{id}/cancel`.
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

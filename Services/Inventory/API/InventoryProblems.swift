import HTTP

extension ProblemKind {
    /// What Inventory answers beside what every service can.
    static let ofInventory = [
        idempotencyKeyReused, outOfStock, reservationCancelled, reservationConfirmed, reservationContradiction,
        reservationEnded, reservationOfOrder, stockReserved,
    ]

    static let idempotencyKeyReused = ProblemKind(
        "idempotency-key-reused",
        status: 422,
        title: "The key belongs to another request",
        meaning: "The Idempotency-Key was used with another product or body before. Nothing was moved.",
        mend: "Use a new key for a new movement, and the same body to repeat one."
    )

    static let outOfStock = ProblemKind(
        "out-of-stock",
        status: 409,
        title: "There are not enough",
        meaning: """
            Not enough of what was asked for are free, and so nothing was reserved: a reservation has all its lines or none. \
            Others may have reserved the last ones and give them back.
            """,
        mend: "Try again later under the same id, or with less; `errors` names the lines that are short."
    )

    static let reservationCancelled = ProblemKind(
        "reservation-cancelled",
        status: 409,
        title: "The reservation was cancelled",
        meaning: "A reservation of this id was cancelled, perhaps before this request came. Nothing was reserved.",
        mend: "Nothing is left to do where the cancellation was meant; use a new id for a new reservation."
    )

    static let reservationConfirmed = ProblemKind(
        "reservation-confirmed",
        status: 409,
        title: "The reservation is confirmed",
        meaning: "The reservation was confirmed, what was reserved has left the stock, and nothing can be cancelled.",
        mend: "Where the goods are back, say so by `POST /products/{sku}/stock`."
    )

    static let reservationContradiction = ProblemKind(
        "reservation-contradiction",
        status: 409,
        title: "The id belongs to another reservation",
        meaning: "There is a reservation of this id with other lines. It stays as it is; nothing else was reserved.",
        mend: "Use a new id for a new reservation, and the same lines to repeat one."
    )

    static let reservationEnded = ProblemKind(
        "reservation-ended",
        status: 409,
        title: "The reservation has ended",
        meaning: "The reservation was cancelled or not confirmed in time, and what it held is free again.",
        mend: "Try again under a new id: what is still free is reserved anew."
    )

    static let reservationOfOrder = ProblemKind(
        "reservation-of-order",
        status: 409,
        title: "The reservation is an order's",
        meaning: "The order makes, confirms and ends its reservation by its events. Nothing was changed.",
        mend: "Cancel the order: `POST /orders/{id}/cancel` at Order."
    )

    static let stockReserved = ProblemKind(
        "stock-reserved",
        status: 409,
        title: "The stock is reserved",
        meaning: "As many as were to be taken away are not free: some are reserved. Nothing was moved.",
        mend: "Take away what is free (`detail` says how many), or wait until reservations end."
    )
}

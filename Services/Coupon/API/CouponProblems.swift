import HTTP

extension ProblemKind {
    /// What Coupon answers beside what every service can.
    static let ofCoupon = [couponLimitReached, couponsGone, idempotencyKeyReused]

    static let couponLimitReached = ProblemKind(
        "coupon-limit-reached",
        status: 409,
        title: "The customer has all that one may have",
        meaning: "The customer has as many coupons of this definition as one customer may have. None was issued.",
        mend: "Nothing is left to do: the customer's coupons are listed by `GET /coupons?customer=`."
    )

    static let couponsGone = ProblemKind(
        "coupons-gone",
        status: 409,
        title: "There are no coupons left",
        meaning: "All coupons of this definition were issued, or their time is over. None was issued.",
        mend: "Try again when the definition has a higher `limit` or a later `validUntil`."
    )

    static let idempotencyKeyReused = ProblemKind(
        "idempotency-key-reused",
        status: 422,
        title: "The key belongs to another request",
        meaning: "The Idempotency-Key was used for another definition or customer before. Nothing was issued.",
        mend: "Use a new key for a new claim, and the same body to repeat one."
    )
}

import HTTP

extension ProblemKind {
    /// What Points answers beside what every service can.
    static let ofPoints = [idempotencyKeyReused]

    static let idempotencyKeyReused = ProblemKind(
        "idempotency-key-reused",
        status: 422,
        title: "The key belongs to another request",
        meaning: "The Idempotency-Key was used with another account or body before. Nothing is charged.",
        mend: "Use a new key for a new charge, and the same body to repeat one."
    )
}

/// The problems that the server itself answers.
extension Problem {
    static let internalError = Problem(
        .internalError,
        detail: "The failure has been logged. The request may have been carried out."
    )

    static let stopping = Problem(
        .shuttingDown,
        detail: "Send the request again in a moment.",
        headers: ["Retry-After": "1"]
    )

    static func malformedRequest(_ detail: String) -> Problem { Problem(.malformedRequest, detail: detail) }

    static let requestTimeout = Problem(
        .requestTimeout,
        detail: "Its head, or its body, has not arrived whole in time."
    )

    static let tooManyConnections = Problem(
        .tooManyConnections,
        detail: "This address has as many connections at work as it may have. Send the request again in a moment.",
        headers: ["Retry-After": "1"]
    )

    static func bodyTooLarge(limit: Int) -> Problem {
        Problem(.bodyTooLarge, detail: "A body may have \(limit) bytes at most.")
    }

    static func headersTooLarge(limit: Int) -> Problem {
        Problem(
            .headersTooLarge,
            detail: "The request line and the headers may have \(limit) bytes together at most."
        )
    }
}

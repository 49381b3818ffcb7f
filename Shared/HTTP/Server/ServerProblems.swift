/// The problems that the server itself answers.
extension Problem {
    static let internalError = Problem(
        status: 500,
        slug: "internal-error",
        title: "The service failed",
        detail: "The failure has been logged. The request may have been carried out."
    )

    static let stopping = Problem(
        status: 503,
        slug: "shutting-down",
        title: "The service is shutting down",
        detail: "Send the request again in a moment.",
        headers: ["Retry-After": "1"]
    )

    static func malformedRequest(_ detail: String) -> Problem {
        Problem(status: 400, slug: "malformed-request", title: "The request is malformed", detail: detail)
    }

    static let requestTimeout = Problem(
        status: 408,
        slug: "request-timeout",
        title: "The request took too long to arrive",
        detail: "Its head, or its body, has not arrived whole in time."
    )

    static let tooManyConnections = Problem(
        status: 503,
        slug: "too-many-connections",
        title: "There are too many connections",
        detail: "This address has as many connections at work as it may have. Send the request again in a moment.",
        headers: ["Retry-After": "1"]
    )

    static func bodyTooLarge(limit: Int) -> Problem {
        Problem(
            status: 413,
            slug: "body-too-large",
            title: "The body is too large",
            detail: "A body may have \(limit) bytes at most."
        )
    }

    static func headersTooLarge(limit: Int) -> Problem {
        Problem(
            status: 431,
            slug: "headers-too-large",
            title: "The headers are too large",
            detail: "The request line and the headers may have \(limit) bytes together at most."
        )
    }
}

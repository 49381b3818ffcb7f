/// The kinds of problems that the server, its router and its readers of bodies answer.
extension ProblemKind {
    /// All of them.
    public static let ofServer: [ProblemKind] =
        ofConnection + [
            notFound, methodNotAllowed, unsupportedMediaType, malformedBody, invalidRequest,
        ]

    /// Those that any request may be answered with before, or instead of, what its route says.
    public static let ofConnection: [ProblemKind] = [
        malformedRequest, requestTimeout, bodyTooLarge, expectation, headersTooLarge, internalError, transferEncoding,
        shuttingDown, tooManyConnections, httpVersion,
    ]

    static let malformedRequest = ProblemKind(
        "malformed-request",
        status: 400,
        title: "The request is malformed",
        meaning: """
            The bytes are no HTTP request, or one that two programs could read differently: a folded header, two lengths, a \
            bare line feed. Nothing was done, and the connection is closed.
            """,
        mend: "Send it with a well-kept HTTP library; `detail` names the line or the field."
    )

    static let requestTimeout = ProblemKind(
        "request-timeout",
        status: 408,
        title: "The request took too long to arrive",
        meaning:
            "The head or the body of the request was not there in time. Nothing was done, and the connection is closed.",
        mend: """
            Send it again, at once and whole. Operators: WARREN_HTTP_HEAD_TIMEOUT and WARREN_HTTP_BODY_TIMEOUT are the times.
            """
    )

    static let bodyTooLarge = ProblemKind(
        "body-too-large",
        status: 413,
        title: "The body is too large",
        meaning: "The body of the request has more bytes than the program takes. Nothing was done.",
        mend: "Send less at once; `detail` has the limit."
    )

    static let expectation = ProblemKind(
        "expectation",
        status: 417,
        title: "The expectation cannot be met",
        meaning: "The header Expect asks for something that the program does not do. Nothing was done.",
        mend: "Send the request without the header, or with `Expect: 100-continue`."
    )

    static let headersTooLarge = ProblemKind(
        "headers-too-large",
        status: 431,
        title: "The headers are too large",
        meaning:
            "The first line and the headers of the request have more bytes than the program takes. Nothing was done.",
        mend: "Send fewer or shorter headers and query parameters; `detail` has the limit."
    )

    static let internalError = ProblemKind(
        "internal-error",
        status: 500,
        title: "The service failed",
        meaning: "The program met a fault of its own. What was asked for may have been done.",
        mend: """
            Look whether it was done before you ask again, or ask under the same Idempotency-Key where the route has one. \
            Operators: the failure is in the program's log.
            """
    )

    static let transferEncoding = ProblemKind(
        "transfer-encoding",
        status: 501,
        title: "The transfer encoding is not supported",
        meaning: "The body comes in a transfer encoding that the program does not read. Nothing was done.",
        mend: "Send it with Content-Length, or with `Transfer-Encoding: chunked` alone."
    )

    static let shuttingDown = ProblemKind(
        "shutting-down",
        status: 503,
        title: "The service is shutting down",
        meaning: "The program is stopping. What was asked for has not been done where it had not begun.",
        mend:
            "Send the request again after `Retry-After` seconds, under the same Idempotency-Key where the route has one."
    )

    static let tooManyConnections = ProblemKind(
        "too-many-connections",
        status: 503,
        title: "There are too many connections",
        meaning: "As many connections of one address are at work as may be. Nothing was done.",
        mend: """
            Send the request again after `Retry-After` seconds, on fewer connections. Operators: \
            WARREN_HTTP_MAX_CONNECTIONS is the limit.
            """
    )

    static let httpVersion = ProblemKind(
        "http-version",
        status: 505,
        title: "The version of HTTP is not supported",
        meaning: "The program speaks HTTP/1.1 and HTTP/1.0. Nothing was done.",
        mend: "Send the request in one of these versions, or through a proxy that does."
    )

    /// 404: what the path names is not there, or not the caller's.
    public static let notFound = ProblemKind(
        "not-found",
        status: 404,
        title: "There is no such resource",
        meaning: """
            The path leads nowhere, or what it names is not there or no longer there. What belongs to somebody else is not \
            there for you either.
            """,
        mend: "Check the path and the id in it, and that the address is the right one: operations have their own."
    )

    static let methodNotAllowed = ProblemKind(
        "method-not-allowed",
        status: 405,
        title: "The resource does not answer this method",
        meaning: "The path is right, the method is not. Nothing was done.",
        mend: "Use one of the methods that the header Allow names."
    )

    static let unsupportedMediaType = ProblemKind(
        "unsupported-media-type",
        status: 415,
        title: "The content type is not supported",
        meaning: "The body is not of a type that the route reads. Nothing was done.",
        mend: "Send JSON with the header `Content-Type: application/json`."
    )

    static let malformedBody = ProblemKind(
        "malformed-body",
        status: 400,
        title: "The body is not valid JSON",
        meaning: """
            The body cannot be read as JSON, or could be read in two ways: a name that is there twice, invalid UTF-8, too many \
            levels. Nothing was done.
            """,
        mend: "Correct the body where `detail` says."
    )

    /// 422: the request can be read, and something in it cannot be.
    public static let invalidRequest = ProblemKind(
        "invalid-request",
        status: 422,
        title: "The request is invalid",
        meaning: """
            Fields of the body, parameters of the query or headers are missing, unknown, null, or hold what they may not hold. \
            Nothing was done.
            """,
        mend:
            "Correct what `errors` names - all of it at once - as /openapi.yaml describes it, and send the request again."
    )
}

import HTTP

/// The kinds of problems that the data platform answers beside the kit's.
extension ProblemKind {
    /// All of them.
    static let ofSandbox = [
        platformUnknownKey, platformOtherRecord, platformFailed, platformOverloaded, platformUnavailable,
    ]

    static let platformUnknownKey = ProblemKind(
        "platform-unknown-key",
        status: 401,
        title: "The data platform does not know this key",
        meaning: "The request has no key, or another one than `SANDBOX_KEY`. Nothing was stored.",
        mend: "Send the key as a bearer token, or set it: Analytics reads it from `PLATFORM_KEY`."
    )
    static let platformOtherRecord = ProblemKind(
        "platform-other-record",
        status: 409,
        title: "There is another record of this id",
        meaning: "A record that was put before has this id and other content. It stays as it is.",
        mend: "Give different records different ids, and the same record the same content each time."
    )
    static let platformFailed = ProblemKind(
        "platform-failed",
        status: 500,
        title: "The data platform has failed",
        meaning: "A fault that was asked for struck. The record may be stored or not.",
        mend: "Put it again: under the same id it is stored once."
    )
    static let platformOverloaded = ProblemKind(
        "platform-overloaded",
        status: 429,
        title: "Too many records at once",
        meaning: "A fault that was asked for struck. Nothing was stored.",
        mend: "Put it again after the time that `Retry-After` names."
    )
    static let platformUnavailable = ProblemKind(
        "platform-unavailable",
        status: 503,
        title: "The data platform is down",
        meaning: "A fault that was asked for struck. Nothing was stored.",
        mend: "Put it again later."
    )
}

public import HTTP

extension ProblemKind {
    /// What every program of the kit can answer.
    static let ofProgram: [ProblemKind] = ofServer + [anotherSite, misdirectedRequest, starting]

    /// What every service can answer beside its own.
    static let ofService: [ProblemKind] =
        ofProgram + [
            unauthorized, roleNotAllowed, loopbackOnly, unavailable, eventsGone, tooManyWaiters, wrongState,
            notEditable,
        ]

    // MARK: Who may come in

    /// 401: the program has to know who asks.
    public static let unauthorized = ProblemKind(
        "unauthorized",
        status: 401,
        title: "A right bearer token is needed",
        meaning: "The request has no bearer token, or one that is unknown, expired or not for here. Nothing was done.",
        mend: """
            Send the header `Authorization: Bearer TOKEN` with a token of this program: one of its file of tokens, or a \
            customer's own. The operations address and the public one have tokens of their own.
            """
    )

    /// 403: the program knows who asks, and they may not do that.
    public static let roleNotAllowed = ProblemKind(
        "role-not-allowed",
        status: 403,
        title: "The token may not do that",
        meaning: "The token is right, and what it stands for may not do what was asked. Nothing was done.",
        mend: "Use a token that may; `detail` says what is needed."
    )

    static let loopbackOnly = ProblemKind(
        "loopback-only",
        status: 403,
        title: "Without tokens loopback alone is answered",
        meaning: """
            The program has no tokens set, so it answers programs on its own machine alone. The request comes from another \
            machine, through a proxy, or from a page in a browser. Nothing was done.
            """,
        mend: """
            Ask from the machine itself and directly; or have its operator set WARREN_OPERATIONS_TOKENS_FILE, or \
            WARREN_API_TOKENS_FILE or WARREN_JWT_KEY_FILE, and send a token.
            """
    )

    static let anotherSite = ProblemKind(
        "another-site",
        status: 403,
        title: "A page of another site may not do that",
        meaning: "A browser says that a page of another origin sends the request. Nothing was done.",
        mend: "Send the request from a program, or from a page that this program serves."
    )

    static let misdirectedRequest = ProblemKind(
        "misdirected-request",
        status: 421,
        title: "The request is addressed to another host",
        meaning: """
            The program does not answer to the name in the header Host. So no page can lead a browser here under a name of its \
            own. Nothing was done.
            """,
        mend: "Use one of the program's names; operators add names to WARREN_HTTP_HOSTS."
    )

    // MARK: When

    static let starting = ProblemKind(
        "starting",
        status: 503,
        title: "The service is starting",
        meaning: "The program is not ready to take requests: `detail` says what it is at. Nothing was done.",
        mend: "Send the request again after `Retry-After` seconds. Operators: /readyz says what it waits for."
    )

    static let unavailable = ProblemKind(
        "unavailable",
        status: 503,
        title: "The database cannot be used now",
        meaning: "The service's database is busy, full or away. What was asked for was not done.",
        mend: "Send the request again after `Retry-After` seconds. Operators: the cause is in the service's log."
    )

    static let tooManyWaiters = ProblemKind(
        "too-many-waiters",
        status: 503,
        title: "Too many requests wait for events already",
        meaning: "Requests with `wait` are held until there are events, and no more can be held now.",
        mend: "Ask again after `Retry-After` seconds, or without `wait`."
    )

    // MARK: Events and dead letters

    static let eventsGone = ProblemKind(
        "events-gone",
        status: 410,
        title: "The events behind this position are no longer kept",
        meaning:
            "Retention has removed events behind the position that was asked for; whoever went on here would miss them.",
        mend: """
            Bring your state up to a later position from a copy or a snapshot, and go on from there; the header \
            Warren-Gone-Through has the position up to which events are gone.
            """
    )

    static let wrongState = ProblemKind(
        "wrong-state",
        status: 409,
        title: "The state does not allow that",
        meaning:
            "The dead letter, or the operation on many, is in a state from which this does not lead on. Nothing was done.",
        mend: "Look at it again: somebody may have been quicker, or it needs another step first."
    )

    static let notEditable = ProblemKind(
        "not-editable",
        status: 422,
        title: "The dead letter cannot be edited in this way",
        meaning: "The correction cannot take the dead letter's place. Nothing was done.",
        mend: "`detail` says why: correct the event, or give the whole `envelope` in place of `data`."
    )
}

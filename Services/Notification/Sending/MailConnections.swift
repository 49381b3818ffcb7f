/// Who may use a connection to the mail server, and who waits for one: a pure value.
///
/// First attempts go before retries, one retry in nine aside, and retries leave one connection to them where there are two: a
/// customer's newest mail does not wait until old ones have been tried again. A server that refuses a connection because there
/// are too many (421) gets as many as it has taken; after a while it is offered one more.
struct MailConnections: Sendable {
    /// A mail that asks for a connection.
    struct Request: Sendable, Hashable {
        let id: Int
        let isRetry: Bool
    }

    /// Never more.
    let most: Int
    /// No more for now.
    private(set) var allowed: Int
    private(set) var inUse = 0
    private var retriesInUse = 0
    private var first: [Request] = []
    private var retries: [Request] = []
    /// First attempts since a retry that waits had a turn.
    private var passed = 0
    /// When the server last had enough, or was offered one more, in milliseconds since 1970.
    private var changedAt: Int64 = 0

    /// How long a server that had enough is not offered one more, in milliseconds.
    static let growth: Int64 = 300_000
    private static let firstInTurn = 8

    init(most: Int) {
        self.most = max(1, most)
        allowed = self.most
    }

    /// Asks for a connection.
    ///
    /// - Returns: who may use one now; where this one is not among them, it waits.
    mutating func ask(_ request: Request, at now: Int64) -> [Request] {
        if request.isRetry { retries.append(request) } else { first.append(request) }
        return grant(at: now)
    }

    /// One that waits does so no more.
    mutating func leave(_ request: Request) {
        first.removeAll { $0 == request }
        retries.removeAll { $0 == request }
    }

    /// A connection is free again.
    ///
    /// - Returns: who may use one now.
    mutating func ended(_ request: Request, at now: Int64) -> [Request] {
        inUse -= 1
        if request.isRetry { retriesInUse -= 1 }
        return grant(at: now)
    }

    /// The server has refused a connection, or its further use, because there are too many.
    ///
    /// - Returns: whether there are others, so that it is worth while to wait for one of theirs; and who may use one now.
    mutating func refused(_ request: Request, at now: Int64) -> (hasOthers: Bool, granted: [Request]) {
        let others = inUse - 1
        allowed = max(1, min(allowed, others))
        changedAt = now
        return (others > 0, ended(request, at: now))
    }

    private mutating func grant(at now: Int64) -> [Request] {
        // Also where the clock has been set back.
        if allowed < most, abs(now - changedAt) >= Self.growth {
            allowed += 1
            changedAt = now
        }
        var granted: [Request] = []
        while inUse < allowed, let request = next() {
            inUse += 1
            if request.isRetry { retriesInUse += 1 }
            granted.append(request)
        }
        return granted
    }

    private mutating func next() -> Request? {
        let mayRetry = !retries.isEmpty && retriesInUse < max(1, allowed - 1)
        if mayRetry, first.isEmpty || passed >= Self.firstInTurn {
            passed = 0
            return retries.removeFirst()
        }
        guard !first.isEmpty else { return nil }
        passed = retries.isEmpty ? 0 : passed + 1
        return first.removeFirst()
    }
}

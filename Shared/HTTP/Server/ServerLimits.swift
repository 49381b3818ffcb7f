extension HTTPServer {
    /// What a client may ask for, and how long it may take.
    public struct Limits: Sendable {
        /// Bytes of a body; more is answered with 413.
        public var bodySize = 1 << 20
        /// Bytes of the request line and the headers together; more is answered with 431.
        public var headerSize = 16 << 10
        /// Connections at a time.
        ///
        /// One more takes the place of one that no handler works for; while all are at work, it waits.
        public var connections = 512
        /// Connections at a time from one address; nil for seven eighths of `connections`.
        ///
        /// One more takes the place of one of the same address that no handler works for; while all are at work, it gets 503. So
        /// nobody alone can shut the others out, and a proxy, from whose address all come, is hardly limited.
        public var connectionsPerPeer: Int?
        /// How long a connection may wait for its first or its next request, and be silent while it is written to.
        public var idle: Duration = .seconds(30)
        /// How long a head may take from its first byte to its end; more is answered with 408.
        public var head: Duration = .seconds(10)
        /// How long a body may take after its head; more is answered with 408.
        public var body: Duration = .seconds(30)

        /// The defaults.
        public init() {}

        /// The most connections of one address.
        var perPeer: Int { max(1, connectionsPerPeer ?? connections - connections / 8) }
    }

    /// What the server's connections are at and what became of them.
    public struct Statistics: Sendable, Equatable {
        /// Why a connection was closed by the server before its client did.
        public enum Closing: String, Sendable, CaseIterable {
            /// It waited for a request for longer than `Limits.idle`.
            case idle
            /// A head or a body took too long.
            case slow
            /// The client did not take the answer.
            case stalled
            /// It waited for a request, and made room for another.
            case displaced
            /// Its address had too many, all at work.
            case refused
            /// What it sent cannot be read as a request.
            case malformed
        }

        /// Connections accepted.
        public var accepted = 0
        /// Connections that wait for a request.
        public var waiting = 0
        /// Connections with a request in work or on its way.
        public var active = 0
        /// Connections that the server closed, by reason.
        public var closed: [Closing: Int] = [:]
        /// The most connections that there may be.
        public var limit = 0

        /// Zeros.
        public init() {}
    }
}

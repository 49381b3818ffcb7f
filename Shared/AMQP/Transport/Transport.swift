/// How a session that is open speaks with the broker.
///
/// Used by one thread at a time. After any error but `.invalidMessage` it is of no more use.
protocol Transport: AnyObject {
    /// Whether more may be written now without waiting for the broker to read.
    var takesMore: Bool { get }
    /// Whether bytes wait for the socket to take them.
    var hasUnsent: Bool { get }
    /// Whether writing acks and messages never waits for the peer, so that any thread may do it.
    var neverWaits: Bool { get }

    /// Writes one message.
    ///
    /// - Throws: `AMQPError` with code `.invalidMessage` before anything was written, otherwise the session is lost.
    func publish(_ publication: Publication) throws(AMQPError)
    /// Writes one ack or reject; the broker does not answer it.
    func settle(_ settlement: AckCoalescer.Frame) throws(AMQPError)
    /// Sends what was written, as far as the socket takes it.
    func flush() throws(AMQPError)

    /// Takes what has arrived, without waiting, and serves the heartbeats.
    ///
    /// - Parameters:
    ///   - limit: how many frames at most, about.
    ///   - handle: gets what the broker says, in order; its values are copies.
    /// - Returns: whether everything that had arrived was taken.
    /// - Throws: what `handle` throws, and `AMQPError` for a lost connection, a closed channel or broken protocol.
    func receive(
        limit: Int,
        _ handle: (consuming IncomingFrame) throws(AMQPError) -> Void
    ) throws(AMQPError) -> Bool

    /// Serves the heartbeats while nothing is received: the broker hears of us, and its silence says nothing.
    func keepAlive() throws(AMQPError)

    /// Has the broker confirm every message published from now on; the first has the number 1.
    func selectConfirms() throws(AMQPError)
    /// Bounds how many deliveries may be unacknowledged.
    func setPrefetch(_ prefetch: Int) throws(AMQPError)
    /// Starts a consumer with manual acks.
    func consume(_ queue: String, tag: String, arguments: FieldTable) throws(AMQPError)
    /// Ends a consumer.
    ///
    /// Deliveries that came before the answer are still to be received.
    func cancelConsumer(tag: String) throws(AMQPError)
    /// Says good-bye and waits for the answer, within that time.
    func close(within limit: Duration)
}

/// An error of the AMQP client.
///
/// Its text never holds credentials.
public struct AMQPError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What went wrong.
    public enum Code: Sendable, Equatable {
        /// A broker URI is not understood.
        case invalidURL
        /// The message cannot be put on the wire; nothing was sent.
        case invalidMessage
        /// No connection could be made.
        case connectionFailed
        /// The connection broke; what was under way may or may not have happened.
        case connectionLost
        /// The broker refuses these credentials or this right (403).
        case accessRefused
        /// Something exists with other arguments, or a condition of the broker does not hold (406).
        case preconditionFailed
        /// A queue, an exchange or a virtual host does not exist (404).
        case notFound
        /// The broker confirmed the message and gave it back: no queue is bound for it.
        case returned
        /// The broker refused the message.
        case nacked
        /// The caller stopped waiting after the message was sent.
        case cancelled
        /// There was no connection and the message was not sent.
        case closed
        /// Something took longer than its limit.
        case timeout
    }

    /// What went wrong.
    public let code: Code
    /// The circumstances, for people.
    public let reason: String

    /// The reply code with which the broker closed the channel; nil where something else went wrong.
    ///
    /// The broker closes a channel over something that was sent on it, and does not say what: a publish that the user has no right to
    /// (403), to an exchange that is gone (404), larger than the broker's `max_message_size` (406). All that was in flight beside
    /// it gets this error too, and may have arrived or not. One message that was alone in flight is the one that was meant.
    public let channelClose: UInt16?

    /// Makes an error.
    public init(code: Code, reason: String, channelClose: UInt16? = nil) {
        self.code = code
        self.reason = reason
        self.channelClose = channelClose
    }

    /// Whether the message of a failed publish may nevertheless have reached a queue.
    public var mayHaveArrived: Bool {
        switch code {
        case .connectionLost, .timeout, .cancelled: true
        case .invalidURL, .invalidMessage, .connectionFailed, .accessRefused, .preconditionFailed, .notFound, .returned,
            .nacked, .closed:
            false
        }
    }

    /// Code and reason in one line.
    public var description: String { "\(code): \(reason)" }
}

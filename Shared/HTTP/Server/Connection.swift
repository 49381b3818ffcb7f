import Glibc

/// One connection of a server; on the loop's thread only.
final class Connection {
    enum Phase {
        /// A request is awaited or arrives.
        case reading
        /// A handler works.
        case handling(Task<Void, Never>)
        /// An answer goes out.
        case writing
        /// The answer has gone out and nothing more will: what still arrives is dropped, for to close with unread bytes is to
        /// reset, and the client might never read the answer.
        case lingering(dropped: Int, until: UInt64)
    }

    let id: UInt64
    let socket: Int32
    let peer: PeerAddress
    var requests: RequestReader
    var phase = Phase.reading
    /// How much of a request had arrived when the deadline was set.
    var progress = RequestReader.Progress.nothing
    /// When the present step has to be over, in nanoseconds of the loop's clock; nil while a handler works.
    var deadline: UInt64?
    /// When something arrived last, or the last answer had gone out.
    var lastActivity: UInt64
    /// As what it has been counted.
    var counted: Role?
    var output: [UInt8] = []
    var sent = 0
    /// Whether it ends after the answer that goes out.
    var closesAfter = false
    /// Whether the request in work is a `HEAD`.
    var isHead = false
    /// What epoll watches it for.
    var interest: UInt32

    init(id: UInt64, socket: Int32, peer: PeerAddress, limits: HTTPServer.Limits, now: UInt64, interest: UInt32) {
        self.id = id
        self.socket = socket
        self.peer = peer
        self.interest = interest
        requests = RequestReader(limits: limits)
        lastActivity = now
    }

    /// What a connection is to whoever counts them or needs room.
    enum Role {
        /// No whole head has arrived: closing loses nothing that somebody works at.
        case waiting
        /// A body arrives.
        case sending
        /// A handler works, or its answer goes out.
        case working
        /// The last answer has gone out.
        case leaving
    }

    var role: Role {
        switch phase {
        case .reading: requests.progress == .body ? .sending : .waiting
        case .handling, .writing: .working
        case .lingering: .leaving
        }
    }

    enum Sending {
        case done
        case blocked
        case broken
    }

    /// Sends what can be sent now.
    func send() -> Sending {
        while sent < output.count {
            let count = unsafe output[sent...].withUnsafeBytes {
                unsafe Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EINTR { continue }
                return errno == EAGAIN ? .blocked : .broken
            }
            sent += count
        }
        output = []
        sent = 0
        return .done
    }
}

import Glibc
import Synchronization

/// A peer on loopback that answers as a broker does until a client is ready, and otherwise says what a test has it say.
///
/// It holds no queue. Its threads are its own, so that it lives on while a test blocks every other one.
public final class FakeBroker: Sendable {
    /// What is said to a client in answer to something.
    public struct Answer: Sendable {
        /// What is written, each piece by itself.
        public var pieces: [[UInt8]]
        /// Whether these are the last words: what the client says after them is read, and not answered.
        public var isLast: Bool

        /// Makes an answer.
        public init(_ pieces: [[UInt8]], isLast: Bool = false) {
            self.pieces = pieces
            self.isLast = isLast
        }
    }

    /// Decides an answer: from the number of the connection, from 0, how many answers it has got, and the usual one.
    public typealias Script = @Sendable (_ connection: Int, _ count: Int, _ usual: [UInt8]) -> Answer

    private struct State {
        var clients: [Int32: Socket] = [:]
        var accepted = 0
        var heartbeats = 0
        var isSilent = false
        var script: Script?
    }

    /// What its threads know of it; they do not keep the broker itself.
    private final class Shared: Sendable {
        let state = Mutex(State())
        let heartbeat: UInt16

        init(_ heartbeat: UInt16, _ script: Script?) {
            self.heartbeat = heartbeat
            state.withLock { $0.script = script }
        }
    }

    private final class Work {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Where it listens.
    public let port: UInt16
    private let listener: Socket
    private let shared: Shared

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - heartbeat: the seconds that it offers; it answers each heartbeat with one of its own.
    ///   - script: decides what is answered; the usual where it is nil.
    public init(heartbeat: UInt16 = 0, script: Script? = nil) throws {
        let listener = try Socket.listen()
        let shared = Shared(heartbeat, script)
        self.listener = listener
        self.shared = shared
        port = listener.port
        Self.thread {
            while let client = listener.accept() {
                let number = shared.state.withLock { state in
                    state.clients[client.descriptor] = client
                    state.accepted += 1
                    return state.accepted - 1
                }
                let isServed = Self.thread {
                    Self.serve(client, number, shared)
                    Self.end(client, shared)
                }
                if !isServed { Self.end(client, shared) }
            }
        }
    }

    deinit {
        listener.shutDown()
        listener.close()
        shared.state.withLock { state in
            for client in state.clients.values { client.shutDown() }
        }
    }

    /// How many heartbeats have come.
    public var heartbeats: Int { shared.state.withLock(\.heartbeats) }

    /// How many connections have come.
    public var accepted: Int { shared.state.withLock(\.accepted) }

    /// From now on it reads what comes and says nothing, and closes nothing.
    public func fallSilent() { shared.state.withLock { $0.isSilent = true } }

    /// From now on this decides what is answered.
    public func follow(_ script: @escaping Script) {
        shared.state.withLock { state in
            state.script = script
            state.accepted = 0
        }
    }

    /// Says something of its own accord to every client.
    public func say(_ bytes: [UInt8]) {
        shared.state.withLock { state in
            for client in state.clients.values { try? client.write(bytes) }
        }
    }

    private static func end(_ client: Socket, _ shared: Shared) {
        // The number of the descriptor is free only once nobody knows it any more.
        shared.state.withLock { $0.clients[client.descriptor] = nil }
        client.close()
    }

    private static func serve(_ client: Socket, _ number: Int, _ shared: Shared) {
        var input: [UInt8] = []
        var said = 0
        var isOver = false
        while let more = try? client.read(), !more.isEmpty {
            guard !isOver else { continue }
            input += more
            while !isOver, let (usual, length, isHeartbeat) = understand(input, shared.heartbeat) {
                input.removeFirst(length)
                let answer = shared.state.withLock { state -> Answer? in
                    if isHeartbeat { state.heartbeats += 1 }
                    guard let usual, !state.isSilent else { return nil }
                    if isHeartbeat { return Answer([usual]) }
                    return state.script?(number, said, usual) ?? Answer([usual])
                }
                guard let answer else { continue }
                said += 1
                for piece in answer.pieces { try? client.write(piece) }
                guard answer.isLast else { continue }
                client.stopWriting()
                isOver = true
            }
        }
    }

    /// What a broker answers to the first thing in the input, which has that length; nil if it is not all there.
    private static func understand(
        _ input: [UInt8],
        _ heartbeat: UInt16
    ) -> (usual: [UInt8]?, length: Int, isHeartbeat: Bool)? {
        guard input.count >= 8 else { return nil }
        if input.starts(with: Array("AMQP".utf8)) {
            let mechanisms = Frames.longString("PLAIN EXTERNAL") + Frames.longString("en_US")
            return (Frames.method(0, 10, 10, [0, 9, 0, 0, 0, 0] + mechanisms), 8, false)
        }
        let size = input[3..<7].reduce(0) { $0 << 8 | Int($1) }
        guard input.count >= size + 8 else { return nil }
        if input[0] == 8 { return (Frames.heartbeat, size + 8, true) }
        guard input[0] == 1, size >= 4 else { return (nil, size + 8, false) }
        return (answer(to: Array(input[7..<(7 + size)]), heartbeat), size + 8, false)
    }

    /// What a broker answers to a method: `…-ok`, with what belongs into it.
    private static func answer(to method: [UInt8], _ heartbeat: UInt16) -> [UInt8]? {
        switch (method[1], method[3]) {
        case (10, 11):
            Frames.method(0, 10, 30, Frames.big(UInt16(1)) + Frames.big(UInt32(131_072)) + Frames.big(heartbeat))
        case (10, 40): Frames.method(0, 10, 41, [0])
        case (10, 50): Frames.method(0, 10, 51, [])
        case (20, 10): Frames.method(1, 20, 11, [0, 0, 0, 0])
        case (20, 40): Frames.method(1, 20, 41, [])
        case (40, 10): Frames.method(1, 40, 11, [])
        case (50, 10): Frames.method(1, 50, 11, [0, 0, 0, 0, 0, 0, 0, 0, 0])
        case (50, 20): Frames.method(1, 50, 21, [])
        case (60, 10): Frames.method(1, 60, 11, [])
        case (60, 20): Frames.method(1, 60, 21, Frames.shortString("warren"))
        case (60, 30): Frames.method(1, 60, 31, Frames.shortString("warren"))
        case (85, 10): Frames.method(1, 85, 11, [])
        default: nil
        }
    }

    /// Starts a thread.
    ///
    /// - Returns: false when the system gives none.
    @discardableResult
    private static func thread(_ body: @escaping @Sendable () -> Void) -> Bool {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(Work(body)).toOpaque()
        let status = pthread_create(
            &thread,
            nil,
            { pointer in
                if let pointer { Unmanaged<Work>.fromOpaque(pointer).takeRetainedValue().run() }
                return nil
            },
            argument
        )
        guard status == 0 else {
            Unmanaged<Work>.fromOpaque(argument).release()
            return false
        }
        pthread_detach(thread)
        return true
    }
}

import Foundation
import Synchronization

/// A TCP relay on loopback between a client and a server, for faults on the wire that the server itself cannot make.
public final class Relay: Sendable {
    /// What happens to the server's bytes.
    public enum Mode: Sendable {
        /// They go through.
        case pass
        /// The client's connection is reset at the first of them: the work is done and the client does not know.
        case resetAtAnswer
        /// They are held back for ever.
        case hold
        /// They are held back until another mode is chosen, and then go its way.
        case keep
    }

    private struct State {
        var mode = Mode.pass
        var answers = 0
        var passed = 0
        var sockets: [Int32: Socket] = [:]
        var isStopped = false
    }

    /// Where clients connect.
    public let port: UInt16
    private let target: UInt16
    private let listener: Socket
    private let state = Mutex(State())

    /// Relays from a free port to that port of 127.0.0.1.
    public init(to target: UInt16) throws {
        self.target = target
        listener = try Socket.listen()
        port = listener.port
        let thread = Thread { [self] in
            while let client = listener.accept() { relay(client) }
            listener.close()
        }
        thread.start()
    }

    /// Chooses what happens from now on.
    public func set(_ mode: Mode) {
        state.withLock { $0.mode = mode }
    }

    /// How many pieces of answers the server has sent, passed on or not.
    public var answers: Int { state.withLock { $0.answers } }

    /// How many pieces of answers have gone through.
    public var passed: Int { state.withLock { $0.passed } }

    /// Ends it and every connection through it.
    public func stop() {
        let sockets = state.withLock { state in
            state.isStopped = true
            state.mode = .pass
            return state.sockets.values
        }
        for socket in sockets { socket.shutDown() }
        listener.shutDown()
    }

    private func relay(_ client: Socket) {
        guard let server = try? Socket.connect(to: target, timeout: .seconds(120)) else {
            client.resetOnClose()
            client.close()
            return
        }
        let isOpen = state.withLock { state in
            guard !state.isStopped else { return false }
            for socket in [client, server] { state.sockets[socket.descriptor] = socket }
            return true
        }
        guard isOpen else {
            for socket in [client, server] { socket.close() }
            return
        }
        let pair = RelayedPair(client: client, server: server) { [self] in
            state.withLock { state in
                for socket in [client, server] { state.sockets[socket.descriptor] = nil }
            }
        }
        Thread { pair.requests() }.start()
        Thread { [self] in
            pair.answers(
                mode: { isNew in
                    state.withLock { state in
                        if isNew { state.answers += 1 }
                        return state.mode
                    }
                },
                passed: { state.withLock { $0.passed += 1 } }
            )
        }.start()
    }
}

/// The two ends of a connection through a relay, each read by a thread; the last one to end closes both.
private final class RelayedPair: Sendable {
    private let client: Socket
    private let server: Socket
    private let onClose: @Sendable () -> Void
    private let ended = Mutex(0)

    init(client: Socket, server: Socket, onClose: @escaping @Sendable () -> Void) {
        self.client = client
        self.server = server
        self.onClose = onClose
    }

    func requests() {
        while let bytes = try? client.read(), !bytes.isEmpty {
            guard (try? server.write(bytes)) != nil else { break }
        }
        end()
    }

    func answers(mode: (_ isNew: Bool) -> Relay.Mode, passed: () -> Void) {
        while let bytes = try? server.read(), !bytes.isEmpty {
            var way = mode(true)
            while case .keep = way {
                usleep(5_000)
                way = mode(false)
            }
            switch way {
            case .pass:
                if (try? client.write(bytes)) == nil { return end() }
                passed()
            case .hold, .keep:
                continue
            case .resetAtAnswer:
                client.resetOnClose()
                return end(withReset: true)
            }
        }
        end()
    }

    private func end(withReset: Bool = false) {
        server.shutDown()
        // A shutdown of both directions would say goodbye to the client in order.
        if withReset { client.stopReading() } else { client.shutDown() }
        let isLast = ended.withLock { ended in
            ended += 1
            return ended == 2
        }
        guard isLast else { return }
        onClose()
        for socket in [client, server] { socket.close() }
    }
}

import Foundation
import Glibc
import Synchronization

/// Stands between a client and the broker, on a loopback port of its own, and does to the connection what networks, brokers
/// and enemies do.
final class TestProxy: Sendable {
    private struct Pair: Sendable {
        let client: Int32
        let broker: Int32
    }

    private struct State {
        var pairs: [Pair] = []
        var isFrozen = false
        var isRefusing = false
        var accepted = 0
        /// How many more bytes go to the client before everything stands still; nil for no limit.
        var allowance: Int?
    }

    /// What the proxy's threads know of it; they do not keep the proxy itself.
    private final class Shared: Sendable {
        let state = Mutex(State())
        let brokerPort: UInt16

        init(_ brokerPort: UInt16) { self.brokerPort = brokerPort }
    }

    let port: Int
    private let listener: Int32
    private let shared: Shared

    init(to brokerPort: Int) throws {
        let shared = Shared(UInt16(brokerPort))
        self.shared = shared
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = Self.loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, length) == 0 && listen(listener, 64) == 0
                    && getsockname(listener, address, &length) == 0
            }
        }
        guard status else { throw POSIXError(.EADDRNOTAVAIL) }
        self.listener = listener
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread {
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                Self.serve(client, shared)
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        cut()
    }

    /// How many connections came.
    var accepted: Int { shared.state.withLock(\.accepted) }

    /// Breaks every connection at once.
    func cut() {
        shared.state.withLock { state in
            for pair in state.pairs {
                shutdown(pair.client, Int32(SHUT_RDWR))
                shutdown(pair.broker, Int32(SHUT_RDWR))
            }
        }
    }

    /// Nothing is forwarded any more, in either direction, and nothing is closed: the peer is silent.
    func freeze(afterBytesToClient allowance: Int? = nil) {
        shared.state.withLock { state in
            if let allowance { state.allowance = allowance } else { state.isFrozen = true }
        }
    }

    /// Forwards again; what was held back stays lost with its connection.
    func thaw() {
        shared.state.withLock { state in
            state.isFrozen = false
            state.allowance = nil
        }
    }

    /// Whether new connections are closed at once.
    func refuse(_ refuses: Bool) {
        shared.state.withLock { $0.isRefusing = refuses }
    }

    /// Says something to the clients as if the broker said it; right only between two frames.
    func inject(_ bytes: [UInt8]) {
        shared.state.withLock { state in
            for pair in state.pairs { _ = send(pair.client, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }
        }
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private static func serve(_ client: Int32, _ shared: Shared) {
        let broker = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = loopback(shared.brokerPort)
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(broker, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        let pair = Pair(client: client, broker: broker)
        let isWelcome = shared.state.withLock { state in
            state.accepted += 1
            guard isConnected, !state.isRefusing else { return false }
            state.pairs.append(pair)
            return true
        }
        guard isWelcome else {
            close(client)
            close(broker)
            return
        }
        let ends = Ends(pair, shared)
        Thread.detachNewThread { pump(shared, from: client, to: broker, toClient: false, ends) }
        Thread.detachNewThread { pump(shared, from: broker, to: client, toClient: true, ends) }
    }

    /// Closes both descriptors when both directions have ended, and not before the proxy has forgotten them: their numbers
    /// are used again at once.
    private final class Ends: Sendable {
        let pair: Pair
        private let shared: Shared

        init(_ pair: Pair, _ shared: Shared) {
            self.pair = pair
            self.shared = shared
        }

        deinit {
            shared.state.withLock { $0.pairs.removeAll { $0.client == pair.client } }
            close(pair.client)
            close(pair.broker)
        }
    }

    private static func pump(_ shared: Shared, from: Int32, to: Int32, toClient: Bool, _ ends: Ends) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            var waiting = pollfd(fd: from, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 20) >= 0 else { break }
            let room = shared.state.withLock { state in
                state.isFrozen ? 0 : toClient ? min(state.allowance ?? buffer.count, buffer.count) : buffer.count
            }
            // A frozen proxy reads nothing; the pairs that were cut meanwhile end by their shutdown.
            guard waiting.revents != 0 else { continue }
            guard room > 0 else {
                if Int32(waiting.revents) & (POLLHUP | POLLERR) != 0 { break }
                usleep(5_000)
                continue
            }
            let count = recv(from, &buffer, room, 0)
            guard count > 0 else { break }
            if toClient {
                shared.state.withLock { if let allowance = $0.allowance { $0.allowance = allowance - count } }
            }
            var sent = 0
            while sent < count {
                let more = buffer.withUnsafeBytes { bytes in
                    send(to, bytes.baseAddress.unsafelyUnwrapped + sent, count - sent, Int32(MSG_NOSIGNAL))
                }
                guard more > 0 else { break }
                sent += more
            }
        }
        for descriptor in [ends.pair.client, ends.pair.broker] { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
}

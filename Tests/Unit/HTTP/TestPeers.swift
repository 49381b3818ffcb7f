import Dispatch
import Foundation
import Glibc
import HTTP
import Synchronization
import Telemetry
import Testing

/// Serves the routes on a free port while the body runs, and stops the server afterwards.
func withServer<Value: Sendable>(
    limits: HTTPServer.Limits = .init(),
    logger: Logger = .silent,
    address: String = "127.0.0.1:0",
    routes: (inout Router) -> Void,
    _ body: (Int) async throws -> Value
) async throws -> Value {
    var router = Router()
    routes(&router)
    let server = try HTTPServer(address: address, router: router, limits: limits, logger: logger)
    let running = Task { try await server.run(grace: .seconds(2)) }
    do {
        let value = try await body(try await server.port())
        running.cancel()
        try await running.value
        return value
    } catch {
        running.cancel()
        _ = await running.result
        throw error
    }
}

struct SocketError: Error { let text: String }

/// A socket that blocks on a queue of its own, never on Swift's pool.
///
/// Each read waits a minute at most.
final class RawSocket: Sendable {
    let descriptor: Int32
    private let queue = DispatchQueue(label: "raw-socket")

    init(descriptor: Int32) {
        self.descriptor = descriptor
        var timeout = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// Connects to a port of this machine, from another of its addresses if there is one given.
    static func connect(_ port: Int, from source: String? = nil) async throws -> RawSocket {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let result = RawSocket(descriptor: descriptor)
        try await result.perform {
            if let source {
                var own = loopbackAddress(0)
                inet_pton(AF_INET, source, &own.sin_addr)
                let status = withUnsafePointer(to: &own) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
                guard status == 0 else { throw SocketError(text: "bind: \(errno)") }
            }
            var address = loopbackAddress(port)
            let status = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard status == 0 else { throw SocketError(text: "connect: \(errno)") }
        }
        return result
    }

    func perform<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try body() }) }
        }
    }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) async throws {
        try await perform { [descriptor] in
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { throw SocketError(text: "send: \(errno)") }
                sent += count
            }
        }
    }

    /// The next bytes; empty at the end of the stream.
    func receive() async throws -> [UInt8] {
        try await perform { [descriptor] in
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count >= 0 else { throw SocketError(text: "receive: \(errno)") }
            return Array(buffer[..<count])
        }
    }

    /// What arrives until the text has come, or the stream ends.
    func receive(until end: String) async throws -> String {
        var bytes: [UInt8] = []
        while true {
            let text = String(decoding: bytes, as: UTF8.self)
            if text.contains(end) { return text }
            let more = try await receive()
            if more.isEmpty { return text }
            bytes += more
        }
    }

    /// Everything until the peer closes.
    func receiveAll() async throws -> String {
        var bytes: [UInt8] = []
        while true {
            let more = try await receive()
            if more.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += more
        }
    }

    /// Closes so that the peer sees a reset.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    }

    func finish() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}

func loopbackAddress(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}

/// A peer that accepts connections and lets each be played by a closure, one after the other or at once.
final class FakePeer: Sendable {
    let port: Int
    private let listener: RawSocket
    private let accepted = Mutex(0)

    /// How many connections have been accepted.
    var connections: Int { accepted.withLock { $0 } }

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        listener = RawSocket(descriptor: descriptor)
        var address = loopbackAddress(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                let bound = bind(descriptor, $0, length)
                return bound == 0 ? getsockname(descriptor, $0, &length) : bound
            }
        }
        guard status == 0, listen(descriptor, 64) == 0 else { throw SocketError(text: "listen: \(errno)") }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    /// Refuses connections from now on; those that are open stay.
    func refuse() { listener.finish() }

    /// Accepts until the task is cancelled.
    func serve(_ play: @escaping @Sendable (RawSocket, Int) async throws -> Void) async throws {
        try await withTaskCancellationHandler {
            try await withThrowingDiscardingTaskGroup { group in
                while !Task.isCancelled {
                    let descriptor = try await listener.perform { [listener] in
                        while true {
                            let accepted = accept(listener.descriptor, nil, nil)
                            if accepted >= 0 { return accepted }
                            if errno == EINVAL { return -1 }
                            guard errno == EAGAIN || errno == EINTR else { throw SocketError(text: "accept: \(errno)") }
                        }
                    }
                    guard descriptor >= 0 else { return }
                    let number = accepted.withLock { count in
                        count += 1
                        return count
                    }
                    group.addTask {
                        let socket = RawSocket(descriptor: descriptor)
                        // The client may end first; that is what many tests are about.
                        do { try await play(socket, number) } catch is SocketError {}
                    }
                }
            }
        } onCancel: {
            listener.finish()
        }
    }
}

/// Plays a peer while the body runs.
func withPeer<Value: Sendable>(
    _ play: @escaping @Sendable (RawSocket, Int) async throws -> Void,
    _ body: (FakePeer) async throws -> Value
) async throws -> Value {
    let peer = try FakePeer()
    let serving = Task { try await peer.serve(play) }
    defer { serving.cancel() }
    return try await body(peer)
}

/// A signal that is given once and waited for by any number.
final class Signal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func give() { continuation.finish() }

    func wait(seconds: Int = 60) async throws {
        try await within(seconds: seconds) { [stream] in
            for await _ in stream {}
            try Task.checkCancellation()
        }
    }
}

/// Runs the body, but not for ever.
func within<Value: Sendable>(
    seconds: Int = 60,
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: .seconds(seconds))
            throw SocketError(text: "not within \(seconds) seconds")
        }
        guard let value = try await group.next() else { throw SocketError(text: "nothing") }
        group.cancelAll()
        return value
    }
}

/// Keeps what is logged.
final class KeepingLogSink: LogSink {
    private let kept = Mutex<[LogRecord]>([])
    var records: [LogRecord] { kept.withLock { $0 } }
    func write(_ record: LogRecord) { kept.withLock { $0.append(record) } }
}

extension HTTPClient.Response {
    var text: String { String(decoding: body, as: UTF8.self) }
}

import Glibc

/// A blocking TCP connection on loopback that reads by lines and by length.
///
/// For one thread at a time.
final class Connection {
    private let descriptor: Int32
    private var received: [UInt8] = []
    private var start = 0

    /// Takes over an accepted connection.
    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Connects to a port of 127.0.0.1.
    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var noDelay: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &noDelay, socklen_t(MemoryLayout<Int32>.size))
        let status = Loopback.with(port) { connect(descriptor, $0, $1) }
        guard status == 0 else { throw BenchmarkError("nothing listens on port \(port)") }
    }

    deinit { close(descriptor) }

    func write(_ text: String) throws {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw BenchmarkError("a connection was lost") }
            bytes.removeFirst(count)
        }
    }

    /// The next line without its end; nil at the end of the stream.
    func line() -> String? {
        while true {
            if let end = received[start...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { start = end + 1 }
                let line = received[start..<end]
                return String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
            }
            guard receive() else { return nil }
        }
    }

    func text(count: Int) throws -> String {
        while received.count - start < count {
            guard receive() else { throw BenchmarkError("a connection was lost") }
        }
        defer { start += count }
        return String(decoding: received[start..<start + count], as: UTF8.self)
    }

    private func receive() -> Bool {
        received.removeFirst(start)
        start = 0
        return withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 1) { buffer in
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            guard count > 0 else { return false }
            received.append(contentsOf: buffer[..<count])
            return true
        }
    }
}

/// Addresses of 127.0.0.1.
enum Loopback {
    static func with(_ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// A socket that listens on a free port.
    static func listen() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard with(0, { bind(descriptor, $0, $1) }) == 0, Glibc.listen(descriptor, 128) == 0 else {
            close(descriptor)
            throw BenchmarkError("no free port")
        }
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    /// A port that is free now.
    static func freePort() throws -> UInt16 {
        let (descriptor, port) = try listen()
        close(descriptor)
        return port
    }
}

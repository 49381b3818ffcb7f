import Foundation

/// Requests on one connection that is kept, each sent when the answer to the one before is there.
///
/// Sends what it is told to; `Content-Length` alone is added.
public struct HTTPConversation: Sendable {
    /// One request.
    public struct Request: Sendable {
        let method: String
        let path: String
        let headers: [(name: String, value: String)]
        let body: [UInt8]

        /// Makes a request; `Host` is one of its headers.
        public init(_ method: String, _ path: String, headers: [(name: String, value: String)], body: [UInt8] = []) {
            self.method = method
            self.path = path
            self.headers = headers
            self.body = body
        }

        fileprivate var bytes: [UInt8] {
            var head = "\(method) \(path) HTTP/1.1\r\n"
            for (name, value) in headers { head += "\(name): \(value)\r\n" }
            if !body.isEmpty || method != "GET" { head += "Content-Length: \(body.count)\r\n" }
            return Array((head + "\r\n").utf8) + body
        }
    }

    private let port: UInt16

    /// A conversation with the server on that port of 127.0.0.1.
    public init(port: UInt16) {
        self.port = port
    }

    /// Sends the requests and gives their answers, in order.
    ///
    /// - Throws: when the server does not keep the connection, or an answer does not come.
    public func send(_ requests: [Request]) async throws -> [HTTPProbe.Reply] {
        let port = port
        return try await withCheckedThrowingContinuation { continuation in
            // A thread of its own: the socket blocks.
            let thread = Thread {
                continuation.resume(with: Result { try HTTPConversation.exchange(requests, port: port) })
            }
            thread.start()
        }
    }

    private static func exchange(_ requests: [Request], port: UInt16) throws -> [HTTPProbe.Reply] {
        let socket = try Socket.connect(to: port, timeout: .seconds(60))
        defer { socket.close() }
        var input: [UInt8] = []
        return try requests.map { request in
            try socket.write(request.bytes)
            return try reply(from: socket, &input)
        }
    }

    private static func reply(from socket: Socket, _ input: inout [UInt8]) throws -> HTTPProbe.Reply {
        var needed: Int?
        while true {
            if needed == nil, let end = input.firstRange(of: Array("\r\n\r\n".utf8)) {
                let head = try HTTPProbe.parse(Array(input[..<end.upperBound]))
                let length = head.headers["content-length"].flatMap { Int($0) } ?? 0
                needed = end.upperBound + (head.status == 204 ? 0 : length)
            }
            if let needed, input.count >= needed {
                defer { input.removeFirst(needed) }
                return try HTTPProbe.parse(Array(input[..<needed]))
            }
            let bytes = try socket.read()
            guard !bytes.isEmpty else { throw Socket.Failure(text: "the server closed the connection") }
            input += bytes
        }
    }
}

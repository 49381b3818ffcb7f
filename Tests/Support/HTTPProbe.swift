import Foundation
public import JSON

/// A small HTTP/1.1 client over a plain socket that shares nothing with the client under test.
///
/// One connection per request. Sends what it is told to, valid or not.
public struct HTTPProbe: Sendable {
    /// An answer.
    public struct Reply: Sendable {
        /// The status code.
        public let status: Int
        /// The header fields; names in lower case.
        public let headers: [String: String]
        /// The body.
        public let body: [UInt8]

        /// The body as text.
        public var text: String { String(decoding: body, as: UTF8.self) }

        /// The body as JSON.
        public var json: JSONValue {
            get throws { try JSONValue(parsing: body) }
        }
    }

    /// The port of 127.0.0.1 that it talks to.
    public let port: UInt16
    /// Header fields that every request has.
    public let headers: [String: String]
    /// How long connecting, and each wait for bytes, may take.
    public let timeout: Duration

    /// Makes a client of the server on that port.
    public init(port: UInt16, headers: [String: String] = [:], timeout: Duration = .seconds(60)) {
        self.port = port
        self.headers = headers
        self.timeout = timeout
    }

    /// GET.
    public func get(_ path: String) async throws -> Reply {
        try await send("GET", path)
    }

    /// POST of a JSON value, or of nothing.
    public func post(_ path: String, _ body: JSONValue? = nil, headers: [String: String] = [:]) async throws -> Reply {
        try await send("POST", path, body, headers: headers)
    }

    /// Sends a `PUT`.
    public func put(_ path: String, _ body: JSONValue) async throws -> Reply { try await send("PUT", path, body) }

    private func send(
        _ method: String,
        _ path: String,
        _ body: JSONValue?,
        headers: [String: String] = [:]
    ) async throws -> Reply {
        guard let body else { return try await send(method, path, headers: headers) }
        return try await send(
            method,
            path,
            headers: ["Content-Type": "application/json"].merging(headers) { _, given in given },
            body: body.bytes
        )
    }

    /// Any request.
    public func send(
        _ method: String,
        _ path: String,
        headers: [String: String] = [:],
        body: [UInt8] = []
    ) async throws -> Reply {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
        var fields = self.headers.merging(headers) { _, given in given }
        if !body.isEmpty || method == "POST" || method == "PUT" { fields["Content-Length"] = String(body.count) }
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) { head += "\(name): \(value)\r\n" }
        return try await exchange(Array((head + "\r\n").utf8) + body)
    }

    /// Sends these bytes and reads the answer until the server closes the connection.
    public func exchange(_ request: [UInt8]) async throws -> Reply {
        let (port, timeout) = (port, timeout)
        let answer: [UInt8] = try await withCheckedThrowingContinuation { continuation in
            // A thread of its own: the socket blocks, and may do so longer than the tests' pool can bear.
            let thread = Thread {
                continuation.resume(with: Result { try HTTPProbe.exchange(request, port: port, timeout: timeout) })
            }
            thread.start()
        }
        return try HTTPProbe.parse(answer)
    }

    private static func exchange(_ request: [UInt8], port: UInt16, timeout: Duration) throws -> [UInt8] {
        let socket = try Socket.connect(to: port, timeout: timeout)
        defer { socket.close() }
        var unsent: (any Error)?
        do {
            try socket.write(request)
        } catch {
            // A server may refuse a large body before it has read it: its answer is what counts.
            unsent = error
        }
        var answer: [UInt8] = []
        do {
            while true {
                let bytes = try socket.read()
                if bytes.isEmpty { break }
                answer += bytes
            }
        } catch {
            // A reset after the whole answer is the same server in a hurry.
            if answer.isEmpty { throw unsent ?? error }
        }
        return answer
    }

    static func parse(_ answer: [UInt8]) throws -> Reply {
        guard let end = answer.firstRange(of: Array("\r\n\r\n".utf8)) else {
            throw Socket.Failure(text: "no HTTP answer but: \(String(decoding: answer.prefix(200), as: UTF8.self))")
        }
        let lines = String(decoding: answer[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        let statusLine = lines[0].split(separator: " ")
        guard statusLine.count >= 2, let status = Int(statusLine[1]) else {
            throw Socket.Failure(text: "no HTTP status line but: \(lines[0])")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] =
                line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
        var body = Array(answer[end.upperBound...])
        if headers["transfer-encoding"]?.lowercased() == "chunked" { body = try dechunk(body) }
        return Reply(status: status, headers: headers, body: body)
    }

    private static func dechunk(_ bytes: [UInt8]) throws -> [UInt8] {
        var body: [UInt8] = []
        var rest = bytes[...]
        while let end = rest.firstRange(of: Array("\r\n".utf8)) {
            let size = String(decoding: rest[..<end.lowerBound], as: UTF8.self).split(separator: ";").first ?? ""
            guard let count = Int(size, radix: 16), rest.distance(from: end.upperBound, to: rest.endIndex) >= count
            else {
                throw Socket.Failure(text: "a chunked body that is cut off")
            }
            if count == 0 { return body }
            body += rest[end.upperBound..<(end.upperBound + count)]
            rest = rest[(end.upperBound + count)...].dropFirst(2)
        }
        throw Socket.Failure(text: "a chunked body without an end")
    }
}

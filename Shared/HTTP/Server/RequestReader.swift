import CMicroHTTPD
import Glibc
import Synchronization
import Telemetry

/// Moves one request on, a step each time libmicrohttpd calls: check the head, collect the body, hand over to the
/// handler, answer.
///
/// On libmicrohttpd's thread only.
struct RequestReader {
    let daemon: Daemon
    let exchange: Exchange
    let connection: ConnectionHandle

    /// The next step.
    ///
    /// False ends the connection.
    func advance(method: String, received: UnsafeRawBufferPointer) -> Bool {
        switch exchange.state.withLock({ $0.phase }) {
        case .head: readHead(method: method)
        case .body: unsafe received.isEmpty ? handOver() : readBody(received)
        case .handling: true
        case .answered(let response): answer(response)
        case .done: drop(received.count)
        }
    }

    /// Refuses the request before its headers are looked at.
    ///
    /// False ends the connection.
    func refuse(_ reason: String, method: String) -> Bool { refuse(.malformedRequest(reason), method: method) }

    /// Answers in place of a handler.
    private func refuse(_ problem: Problem, method: String) -> Bool {
        daemon.refused(method, problem.status)
        return answer(problem.response)
    }

    private func readHead(method: String) -> Bool {
        let headers = readHeaders()
        exchange.state.withLock { state in
            state.phase = .body
            state.method = method
            state.headers = headers
        }
        if let problem = headFault(method: method, headers: headers) { return refuse(problem, method: method) }
        guard let length = headers["Content-Length"].flatMap(Int.init), length > daemon.limits.bodySize else {
            return true
        }
        let problem = Problem.bodyTooLarge(limit: daemon.limits.bodySize)
        // Who waits for leave to send the body gets the answer instead of it.
        return headers["Expect"] == nil ? answerAtOnce(problem) : refuse(problem, method: method)
    }

    /// What is wrong with the head, if anything is.
    ///
    /// After it the end of the request is certain.
    private func headFault(method: String, headers: HTTPHeaders) -> Problem? {
        guard unsafe warren_mhd_header_size(connection.pointer) <= daemon.limits.headerSize else {
            return .headersTooLarge(limit: daemon.limits.headerSize)
        }
        guard !method.isEmpty, method.utf8.allSatisfy(isTokenByte) else {
            return .malformedRequest("The method is not one.")
        }
        guard headers.fields.allSatisfy(\.isValid) else {
            return .malformedRequest("The name or the value of a header holds characters that may not be there.")
        }
        let lengths = headers.values("Content-Length")
        let encodings = headers.values("Transfer-Encoding")
        if lengths.count > 1 || encodings.count > 1 || !(lengths.isEmpty || encodings.isEmpty) {
            return .malformedRequest("The length of the body is stated more than once.")
        }
        if let length = lengths.first, length.isEmpty || !length.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) {
            return .malformedRequest("Content-Length is not a number.")
        }
        if let encoding = encodings.first, encoding.lowercased() != "chunked" {
            return Problem(
                status: 501,
                slug: "transfer-encoding",
                title: "The transfer encoding is not supported",
                detail: "Transfer-Encoding can only be chunked."
            )
        }
        return nil
    }

    private func readHeaders() -> HTTPHeaders {
        var headers = HTTPHeaders()
        unsafe withUnsafeMutablePointer(to: &headers) { pointer in
            _ = unsafe MHD_get_connection_values_n(
                connection.pointer,
                .HEADER_KIND,
                { context, _, name, nameSize, value, valueSize in
                    let name = unsafe text(name, nameSize)
                    let value = unsafe text(value, valueSize)
                    unsafe context?.assumingMemoryBound(to: HTTPHeaders.self).pointee.add(name, value)
                    return .YES
                },
                pointer
            )
        }
        return headers
    }

    private func readBody(_ received: UnsafeRawBufferPointer) -> Bool {
        let isWithin = exchange.state.withLock { state in
            guard state.body.count + received.count <= daemon.limits.bodySize else {
                state.body = []
                return false
            }
            unsafe state.body.append(contentsOf: received)
            return true
        }
        return isWithin || answerAtOnce(.bodyTooLarge(limit: daemon.limits.bodySize))
    }

    private func handOver() -> Bool {
        let (method, headers, body) = exchange.state.withLock { state in
            defer { state.body = [] }
            return (state.method, state.headers, state.body)
        }
        let target: RequestTarget
        do {
            target = try RequestTarget(exchange.target)
        } catch {
            return refuse(error, method: method)
        }
        var request = HTTPRequest(method: method, target: target)
        request.headers = headers
        request.body = body
        request.isLoopback = unsafe warren_mhd_peer(connection.pointer).map { unsafe HTTP.isLoopback($0) } ?? false
        return daemon.dispatch(request, for: exchange, on: connection) || refuse(.stopping, method: method)
    }

    private func answer(_ response: HTTPResponse) -> Bool {
        var response = response
        if !(200...599).contains(response.status) || !response.headers.fields.allSatisfy(\.isValid) {
            daemon.logger.error(
                "A handler's answer is not valid HTTP",
                [LogField("http.response.status_code", response.status)]
            )
            response = Problem.internalError.response
        }
        daemon.watch.requestRead(on: connection)
        exchange.state.withLock { $0.phase = .done }
        let created = unsafe response.body.withUnsafeBytes { bytes in
            unsafe MHD_create_response_from_buffer(
                bytes.count,
                UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                .RESPMEM_MUST_COPY
            )
        }
        guard let created = unsafe created else { return false }
        defer { unsafe MHD_destroy_response(created) }
        for field in response.headers.fields where !Self.isOwn(field) {
            guard unsafe MHD_add_response_header(created, field.name, field.value) == .YES else { return false }
        }
        if daemon.isStopping { _ = unsafe MHD_add_response_header(created, "Connection", "close") }
        return unsafe MHD_queue_response(connection.pointer, UInt32(response.status), created) == .YES
    }

    /// Fields that say how the answer is sent are libmicrohttpd's.
    private static func isOwn(_ field: HTTPHeaders.Field) -> Bool {
        ["Content-Length", "Transfer-Encoding", "Connection", "Date"].contains { field.isNamed($0) }
    }

    /// Answers while the body still arrives, which libmicrohttpd cannot: past it, straight to the socket, which has
    /// been written nothing else.
    ///
    /// What arrives then is read and dropped for a while; closing at once would reset the connection, and the client
    /// might never read the answer.
    private func answerAtOnce(_ problem: Problem) -> Bool {
        let method = exchange.state.withLock { state in
            state.phase = .done
            return state.method
        }
        daemon.refused(method, problem.status)
        let response = problem.response
        var text = "HTTP/1.1 \(response.status) \(problem.title)\r\n"
        for field in response.headers.fields { text += "\(field.name): \(field.value)\r\n" }
        text += "Content-Length: \(response.body.count)\r\nConnection: close\r\n\r\n"
        let bytes = Array(text.utf8) + response.body
        let socket = unsafe warren_mhd_socket(connection.pointer)
        let sent = unsafe send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        guard sent == bytes.count else { return false }
        return shutdown(socket, Int32(SHUT_WR)) == 0
    }

    /// Drops what arrives after an answer; false, which closes, at the body's end or when it is too much.
    private func drop(_ count: Int) -> Bool {
        guard count > 0 else { return false }
        let dropped = exchange.state.withLock { state in
            state.dropped += count
            return state.dropped
        }
        return dropped <= max(daemon.limits.bodySize, 1 << 20) * 8
    }
}

private func text(_ start: UnsafePointer<CChar>?, _ count: Int) -> String {
    guard let start = unsafe start else { return "" }
    return unsafe String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
}

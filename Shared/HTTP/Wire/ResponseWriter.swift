import Glibc

/// Writes an answer as it goes out: one head and, where HTTP has one, the body.
struct ResponseWriter {
    private var second = -1
    private var date = ""

    /// The bytes of the answer, whose fields must be valid.
    ///
    /// - Parameters:
    ///   - isHead: whether the request was `HEAD`: the length is said, the body left out.
    ///   - closes: whether the connection ends with this answer.
    mutating func bytes(of response: HTTPResponse, isHead: Bool, closes: Bool) -> [UInt8] {
        let hasBody = response.status != 204 && response.status != 304
        var head = "HTTP/1.1 \(response.status) \(Self.reason(response.status))\r\n"
        var hasCacheControl = false
        for field in response.headers.fields where !Self.isOwn(field) {
            if field.isNamed("Cache-Control") { hasCacheControl = true }
            head += field.name
            head += ": "
            head += field.value
            head += "\r\n"
        }
        // What a handler does not call fit for keeping is not kept: it may be somebody's order.
        if !hasCacheControl { head += "Cache-Control: no-store\r\n" }
        head += "X-Content-Type-Options: nosniff\r\n"
        if hasBody { head += "Content-Length: \(response.body.count)\r\n" }
        if closes { head += "Connection: close\r\n" }
        head += "Date: \(currentDate())\r\n\r\n"
        var bytes: [UInt8] = []
        let body = hasBody && !isHead ? response.body : []
        bytes.reserveCapacity(head.utf8.count + body.count)
        bytes.append(contentsOf: head.utf8)
        bytes.append(contentsOf: body)
        return bytes
    }

    /// Fields that the server writes itself.
    private static func isOwn(_ field: HTTPHeaders.Field) -> Bool {
        ["Content-Length", "Transfer-Encoding", "Connection", "Date", "X-Content-Type-Options"].contains {
            field.isNamed($0)
        }
    }

    private mutating func currentDate() -> String {
        var now = Glibc.time(nil)
        guard now != second else { return date }
        second = now
        var parts = unsafe tm()
        unsafe gmtime_r(&now, &parts)
        date = unsafe Self.text(
            weekday: Int(parts.tm_wday),
            day: Int(parts.tm_mday),
            month: Int(parts.tm_mon),
            year: Int(parts.tm_year) + 1900,
            time: [parts.tm_hour, parts.tm_min, parts.tm_sec].map(Int.init)
        )
        return date
    }

    private static func text(weekday: Int, day: Int, month: Int, year: Int, time: [Int]) -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let clock = time.map(two).joined(separator: ":")
        return "\(days[weekday]), \(two(day)) \(months[month]) \(year) \(clock) GMT"
    }

    private static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 402: "Payment Required"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 422: "Unprocessable Content"
        case 425: "Too Early"
        case 428: "Precondition Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        // A phrase may be empty; clients go by the number.
        default: ""
        }
    }
}

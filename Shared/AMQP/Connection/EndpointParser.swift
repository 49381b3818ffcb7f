extension Endpoint {
    /// Reads an AMQP URI.
    ///
    /// Its parts are percent-decoded one by one.
    ///
    /// - No path, or only `/`, is the virtual host `/`; a slash within a name must be written `%2F`.
    /// - No user information at all is `guest`:`guest`, as in every client; a user without a password has an empty one.
    ///
    /// - Throws: `AMQPError` with code `.invalidURL`; its text repeats nothing of the URI but the offending name.
    init(uri: String) throws(AMQPError) {
        var rest = Substring(uri)
        let secure: Bool
        if let tail = Self.drop("amqps://", from: rest) {
            secure = true
            rest = tail
        } else if let tail = Self.drop("amqp://", from: rest) {
            secure = false
            rest = tail
        } else {
            throw Self.invalid("it must begin with amqp:// or amqps://")
        }
        // A combining mark would make one character of a delimiter and itself, and hide it: a password would be taken for a host.
        guard uri.utf8.allSatisfy({ $0 < 0x80 }) else {
            throw Self.invalid("it holds other characters than ASCII; percent-encode their UTF-8")
        }
        guard !rest.contains("#") else { throw Self.invalid("it has a fragment; write # as %23") }

        var query: Substring?
        if let mark = rest.firstIndex(of: "?") {
            query = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        }
        var path: Substring?
        if let slash = rest.firstIndex(of: "/") {
            path = rest[rest.index(after: slash)...]
            rest = rest[..<slash]
        }
        var userInformation: Substring?
        if let at = rest.lastIndex(of: "@") {
            userInformation = rest[..<at]
            rest = rest[rest.index(after: at)...]
        }

        let (host, port) = try Self.address(rest, defaultPort: secure ? 5_671 : 5_672)
        self.init(
            host: host,
            port: port,
            virtualHost: try Self.virtualHost(path),
            authentication: try Self.credentials(userInformation),
            security: secure ? Security() : nil
        )
        if let query { try apply(query: query) }
    }

    private static func invalid(_ reason: String) -> AMQPError {
        AMQPError(code: .invalidURL, reason: "the broker's URI is invalid: \(reason)")
    }

    private static func drop(_ prefix: String, from text: Substring) -> Substring? {
        guard text.count >= prefix.count, text.prefix(prefix.count).lowercased() == prefix else { return nil }
        return text.dropFirst(prefix.count)
    }

    private static func address(
        _ text: Substring,
        defaultPort: Int
    ) throws(AMQPError) -> (host: String, port: Int) {
        var host = text
        var port: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw invalid("an IPv6 address lacks its ]") }
            host = text[text.index(after: text.startIndex)..<end]
            guard !host.isEmpty, host.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else {
                throw invalid("the IPv6 address is malformed")
            }
            let tail = text[text.index(after: end)...]
            if !tail.isEmpty {
                guard tail.hasPrefix(":") else { throw invalid("something other than a port follows the IPv6 address") }
                port = tail.dropFirst()
            }
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        let name = host.isEmpty ? "localhost" : try decode(host, "host")
        guard let port, !port.isEmpty else { return (name, defaultPort) }
        guard port.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(port), (1...65_535).contains(number)
        else {
            throw invalid("the port is not a number from 1 to 65535")
        }
        return (name, number)
    }

    private static func virtualHost(_ path: Substring?) throws(AMQPError) -> String {
        guard let path, !path.isEmpty else { return "/" }
        guard !path.contains("/") else { throw invalid("the virtual host holds a slash; write it as %2F") }
        let name = try decode(path, "virtual host")
        guard name.utf8.count <= 255 else { throw invalid("the virtual host is longer than 255 bytes") }
        return name
    }

    private static func credentials(_ text: Substring?) throws(AMQPError) -> Authentication {
        guard let text else { return .plain(user: "guest", password: "guest") }
        guard let colon = text.firstIndex(of: ":") else {
            return .plain(user: try decode(text, "user"), password: "")
        }
        return .plain(
            user: try decode(text[..<colon], "user"),
            password: try decode(text[text.index(after: colon)...], "password")
        )
    }

    private mutating func apply(query: Substring) throws(AMQPError) {
        var seen: Set<String> = []
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = try Self.decode(parts[0], "query")
            let value = parts.count == 2 ? try Self.decode(parts[1], "parameter \(name)") : ""
            guard seen.insert(name).inserted else { throw Self.invalid("the parameter \(name) occurs twice") }
            try apply(parameter: name, value: value)
        }
        guard (security?.certificate == nil) == (security?.key == nil) else {
            throw Self.invalid("certfile and keyfile must be given together")
        }
    }

    private mutating func apply(parameter name: String, value: String) throws(AMQPError) {
        switch name {
        case "heartbeat":
            guard let seconds = Int(value), (0...65_535).contains(seconds) else {
                throw Self.invalid("heartbeat is not a number of seconds from 0 to 65535")
            }
            heartbeat = seconds
        case "connection_timeout":
            guard let milliseconds = Int(value), milliseconds > 0 else {
                throw Self.invalid("connection_timeout is not a positive number of milliseconds")
            }
            connectionTimeout = .milliseconds(milliseconds)
        case "auth_mechanism":
            switch value.lowercased() {
            case "plain": break
            case "external": authentication = .external
            default: throw Self.invalid("auth_mechanism must be plain or external")
            }
        case "user_id":
            // A parameter of this client's own.
            guard value == "login" || value == "none" else { throw Self.invalid("user_id must be login or none") }
            namesUser = value == "login"
        case "channel_max":
            break
        case "cacertfile", "certfile", "keyfile", "verify":
            guard var security else { throw Self.invalid("\(name) has a meaning only with amqps://") }
            guard !value.isEmpty else { throw Self.invalid("\(name) is empty") }
            switch name {
            case "cacertfile": security.authorities = value
            case "certfile": security.certificate = value
            case "keyfile": security.key = value
            default:
                guard value == "verify_peer" || value == "verify_none" else {
                    throw Self.invalid("verify must be verify_peer or verify_none")
                }
                security.verifies = value == "verify_peer"
            }
            self.security = security
        default:
            throw Self.invalid("the parameter \(name) is unknown")
        }
    }

    /// Percent-decodes one part; the result must be UTF-8 and free of NUL, as C strings are made of it.
    private static func decode(_ text: Substring, _ part: String) throws(AMQPError) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                guard byte > 0x20, byte != 0x7F else {
                    throw invalid("the \(part) holds a blank or a control character")
                }
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexadecimal), let low = rest.popFirst().flatMap(hexadecimal) else {
                throw invalid("the \(part) holds a % that is not followed by two hexadecimal digits")
            }
            bytes.append(high << 4 | low)
        }
        guard !bytes.contains(0) else { throw invalid("the \(part) holds a NUL") }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw invalid("the \(part) is not UTF-8 after percent-decoding")
        }
        return decoded
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

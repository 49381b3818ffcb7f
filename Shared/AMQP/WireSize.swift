// The sizes that values will have on the wire: a message that does not fit must be refused before its first frame is
// written, as the frames cannot be taken back.

extension FieldTable {
    /// The encoded size in bytes with its length prefix; nil when it cannot be encoded: a name is longer than 255 bytes, or
    /// tables lie too deep in one another.
    func wireSize(depth: Int = 1) -> Int? {
        guard depth <= Self.maximumDepth else { return nil }
        var size = 4
        for entry in entries {
            guard entry.name.utf8.count <= 255, let value = entry.value.wireSize(depth: depth) else { return nil }
            size += 1 + entry.name.utf8.count + value
        }
        return size
    }
}

extension FieldValue {
    /// The encoded size in bytes with its type octet.
    fileprivate func wireSize(depth: Int) -> Int? {
        switch self {
        case .void: return 1
        case .boolean, .int8, .uint8: return 2
        case .int16, .uint16: return 3
        case .int32, .uint32, .float: return 5
        case .decimal: return 6
        case .int64, .double, .timestamp: return 9
        case .string(let text): return 5 + text.utf8.count
        case .bytes(let bytes): return 5 + bytes.count
        case .table(let table): return table.wireSize(depth: depth + 1).map { 1 + $0 }
        case .array(let values):
            guard depth < FieldTable.maximumDepth else { return nil }
            var size = 5
            for value in values {
                guard let more = value.wireSize(depth: depth + 1) else { return nil }
                size += more
            }
            return size
        }
    }
}

extension Publication {
    /// RabbitMQ's largest possible body, 128 MiB; a broker may be set to less.
    static let maximumBodySize = 134_217_728

    /// Checks everything that would break a connection with frames of the usual size.
    ///
    /// - Throws: `AMQPError` with code `.invalidMessage` that names the fault.
    package func validate() throws(AMQPError) {
        try validate(frameSize: Session.frameSize)
    }

    /// Checks everything that would break the connection once it is half sent.
    ///
    /// - Parameter frameSize: the largest frame of the connection, in bytes.
    /// - Throws: `AMQPError` with code `.invalidMessage` that names the fault.
    func validate(frameSize: Int) throws(AMQPError) {
        let properties = message.properties
        let shortStrings: [(String, String?)] = [
            ("exchange", exchange), ("routing key", routingKey), ("content-type", properties.contentType),
            ("content-encoding", properties.contentEncoding), ("correlation-id", properties.correlationID),
            ("reply-to", properties.replyTo), ("expiration", properties.expiration),
            ("message-id", properties.messageID), ("type", properties.type), ("user-id", properties.userID),
            ("app-id", properties.appID), ("cluster-id", properties.clusterID),
        ]
        var size = 14 + 14 + 9 + 1 + 1
        for case (let name, let value?) in shortStrings {
            let length = value.utf8.count
            guard length <= 255 else { throw Self.invalid("the \(name) has \(length) bytes; at most 255 fit") }
            size += 1 + length
        }
        if let headers = properties.headers {
            guard let length = headers.wireSize() else {
                throw Self.invalid(
                    "a header's name is longer than 255 bytes or the headers are nested deeper than "
                        + "\(FieldTable.maximumDepth)"
                )
            }
            size += length
        }
        guard size + 8 <= frameSize else {
            throw Self.invalid("the headers have \(size) bytes; they must fit one frame of \(frameSize)")
        }
        guard message.body.count <= Self.maximumBodySize else {
            throw Self.invalid("the body has \(message.body.count) bytes; at most \(Self.maximumBodySize) fit")
        }
        if let mode = properties.deliveryMode, mode != 1, mode != 2 {
            throw Self.invalid("the delivery mode is \(mode); it is 1 or 2")
        }
        if let expiration = properties.expiration {
            guard !expiration.isEmpty, expiration.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                UInt32(expiration) != nil
            else {
                throw Self.invalid("the expiration is not a number of milliseconds")
            }
        }
    }

    private static func invalid(_ reason: String) -> AMQPError {
        AMQPError(code: .invalidMessage, reason: reason)
    }
}

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
        guard let size = headerSize else { throw Self.invalid(unfit) }
        guard size <= Session.frameSize else {
            throw Self.invalid("the headers have \(size) bytes; they must fit one frame of \(Session.frameSize)")
        }
        guard message.body.count <= Self.maximumBodySize else {
            throw Self.invalid("the body has \(message.body.count) bytes; at most \(Self.maximumBodySize) fit")
        }
        if let mode = message.properties.deliveryMode, mode != 1, mode != 2 {
            throw Self.invalid("the delivery mode is \(mode); it is 1 or 2")
        }
        if let expiration = message.properties.expiration {
            guard !expiration.isEmpty, expiration.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                UInt32(expiration) != nil
            else {
                throw Self.invalid("the expiration is not a number of milliseconds")
            }
        }
    }

    /// The size of the content header's frame in bytes; nil when a text or the headers cannot be encoded.
    var headerSize: Int? {
        let properties = message.properties
        // Frame, class, weight, body size, flags; delivery mode, priority and timestamp at their most.
        var size = WireProtocol.frameOverhead + 14 + 1 + 1 + 8
        func add(_ text: String?) -> Bool {
            guard let text else { return true }
            let length = text.utf8.count
            size += 1 + length
            return length <= 255
        }
        guard exchange.utf8.count <= 255, routingKey.utf8.count <= 255, add(properties.contentType),
            add(properties.contentEncoding), add(properties.correlationID), add(properties.replyTo),
            add(properties.expiration), add(properties.messageID), add(properties.type), add(properties.userID),
            add(properties.appID), add(properties.clusterID)
        else { return nil }
        // Who publishes is named by each connection, and the next one may be another user's.
        if properties.userID == nil { size += 1 + 255 }
        if let headers = properties.headers {
            guard let length = headers.wireSize() else { return nil }
            size += length
        }
        return size
    }

    /// Why there is no `headerSize`.
    private var unfit: String {
        let properties = message.properties
        let shortStrings: [(String, String?)] = [
            ("exchange", exchange), ("routing key", routingKey), ("content-type", properties.contentType),
            ("content-encoding", properties.contentEncoding), ("correlation-id", properties.correlationID),
            ("reply-to", properties.replyTo), ("expiration", properties.expiration),
            ("message-id", properties.messageID), ("type", properties.type), ("user-id", properties.userID),
            ("app-id", properties.appID), ("cluster-id", properties.clusterID),
        ]
        for case (let name, let value?) in shortStrings where value.utf8.count > 255 {
            return "the \(name) has \(value.utf8.count) bytes; at most 255 fit"
        }
        return "a header's name is longer than 255 bytes or the headers are nested deeper than "
            + "\(FieldTable.maximumDepth)"
    }

    private static func invalid(_ reason: String) -> AMQPError {
        AMQPError(code: .invalidMessage, reason: reason)
    }
}

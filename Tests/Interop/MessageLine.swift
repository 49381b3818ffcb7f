import AMQP

extension Message {
    /// The message as it is on the wire: with its publisher's user.
    func published(by user: String = "guest") -> Message {
        var message = self
        message.properties.userID = user
        return message
    }

    /// The message as a line that `peer.py` writes too, with the type that each header has on the wire.
    var line: String {
        var parts = ["body=\(body.count):\(adler32(body))"]
        func add(_ name: String, _ value: String?) {
            if let value { parts.append("\(name)=\(hex(Array(value.utf8)))") }
        }
        add("content_type", properties.contentType)
        add("content_encoding", properties.contentEncoding)
        add("delivery_mode", properties.deliveryMode.map { "\($0)" })
        add("priority", properties.priority.map { "\($0)" })
        add("correlation_id", properties.correlationID)
        add("reply_to", properties.replyTo)
        add("expiration", properties.expiration)
        add("message_id", properties.messageID)
        add("timestamp", properties.timestamp.map { "\($0)" })
        add("type", properties.type)
        add("user_id", properties.userID)
        add("app_id", properties.appID)
        add("cluster_id", properties.clusterID)
        if let headers = properties.headers { parts.append("headers=\(headers.line)") }
        return parts.joined(separator: ";")
    }
}

extension FieldTable {
    fileprivate var line: String {
        entries.map { "\(hex(Array($0.name.utf8)))=\($0.value.line)" }.joined(separator: ",")
    }
}

extension FieldValue {
    fileprivate var line: String {
        switch self {
        case .boolean(let value): "t(\(value ? 1 : 0))"
        case .int8(let value): "b(\(value))"
        case .uint8(let value): "B(\(value))"
        case .int16(let value): "s(\(value))"
        case .uint16(let value): "u(\(value))"
        case .int32(let value): "I(\(value))"
        case .uint32(let value): "i(\(value))"
        case .int64(let value): "l(\(value))"
        case .float(let value): "f(\(hex(bigEndian(value.bitPattern))))"
        case .double(let value): "d(\(hex(bigEndian(value.bitPattern))))"
        case .decimal(let scale, let value): "D(\(scale),\(value))"
        case .string(let text): "S(\(hex(Array(text.utf8))))"
        case .bytes(let bytes): "x(\(hex(bytes)))"
        case .timestamp(let seconds): "T(\(seconds))"
        case .table(let table): "F(\(table.line))"
        case .array(let values): "A(\(values.map(\.line).joined(separator: ",")))"
        case .void: "V()"
        }
    }
}

private func bigEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
}

private func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

/// The checksum of RFC 1950, which Python has.
private func adler32(_ bytes: [UInt8]) -> UInt32 {
    var a: UInt32 = 1
    var b: UInt32 = 0
    for byte in bytes {
        a = (a + UInt32(byte)) % 65_521
        b = (b + a) % 65_521
    }
    return b << 16 | a
}

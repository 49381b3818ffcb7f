import Glibc

// The payload of a content header behind class, weight and body size: flags, then the properties that they announce, in order.

extension MessageProperties {
    /// Reads flags and properties.
    ///
    /// - Parameter texts: what repeats from message to message is taken from there.
    /// - Throws: `AMQPError` where the bytes are no properties.
    static func read(
        _ reader: inout ByteReader,
        _ texts: inout RepeatedTexts
    ) throws(AMQPError) -> MessageProperties {
        typealias Flag = WireProtocol.PropertyFlag
        let flags = try reader.integer(UInt16.self)
        var last = flags
        // Properties of later words are not defined.
        while last & Flag.more != 0 { last = try reader.integer() }
        guard flags & ~Flag.more != 0 else { return MessageProperties() }
        var fields = Fields()
        if flags & Flag.contentType != 0 { fields.contentType = unsafe texts.contentType.text(try reader.shortBytes()) }
        if flags & Flag.contentEncoding != 0 { fields.contentEncoding = try reader.shortText() }
        if flags & Flag.headers != 0 { fields.headers = try FieldTable(reading: &reader) }
        if flags & Flag.deliveryMode != 0 { fields.deliveryMode = try reader.integer() }
        if flags & Flag.priority != 0 { fields.priority = try reader.integer() }
        if flags & Flag.correlationID != 0 { fields.correlationID = try reader.shortText() }
        if flags & Flag.replyTo != 0 { fields.replyTo = try reader.shortText() }
        if flags & Flag.expiration != 0 { fields.expiration = try reader.shortText() }
        if flags & Flag.messageID != 0 { fields.messageID = try reader.shortText() }
        if flags & Flag.timestamp != 0 { fields.timestamp = try reader.integer() }
        if flags & Flag.type != 0 { fields.type = unsafe texts.type.text(try reader.shortBytes()) }
        if flags & Flag.userID != 0 { fields.userID = unsafe texts.userID.text(try reader.shortBytes()) }
        if flags & Flag.appID != 0 { fields.appID = unsafe texts.appID.text(try reader.shortBytes()) }
        if flags & Flag.clusterID != 0 { fields.clusterID = try reader.shortText() }
        return MessageProperties(fields)
    }

    /// Writes flags and properties.
    ///
    /// They are valid (`Publication.validate`).
    ///
    /// - Parameter user: whose message it is where it does not say so itself; at most 255 bytes.
    func write(to writer: inout ByteWriter, from user: String? = nil) {
        write(fields, to: &writer, from: user)
    }

    private func write(_ fields: borrowing Fields, to writer: inout ByteWriter, from user: String?) {
        typealias Flag = WireProtocol.PropertyFlag
        var flags: UInt16 = 0
        let mark = writer.mark
        writer.append(flags)
        func short(_ flag: UInt16, _ text: String?, _ writer: inout ByteWriter) {
            guard let text else { return }
            flags |= flag
            writer.appendShort(text)
        }
        short(Flag.contentType, fields.contentType, &writer)
        short(Flag.contentEncoding, fields.contentEncoding, &writer)
        if let headers = fields.headers {
            flags |= Flag.headers
            headers.write(to: &writer)
        }
        if let deliveryMode = fields.deliveryMode {
            flags |= Flag.deliveryMode
            writer.append(deliveryMode)
        }
        if let priority = fields.priority {
            flags |= Flag.priority
            writer.append(priority)
        }
        short(Flag.correlationID, fields.correlationID, &writer)
        short(Flag.replyTo, fields.replyTo, &writer)
        short(Flag.expiration, fields.expiration, &writer)
        short(Flag.messageID, fields.messageID, &writer)
        if let timestamp = fields.timestamp {
            flags |= Flag.timestamp
            writer.append(timestamp)
        }
        short(Flag.type, fields.type, &writer)
        short(Flag.userID, fields.userID ?? user, &writer)
        short(Flag.appID, fields.appID, &writer)
        short(Flag.clusterID, fields.clusterID, &writer)
        writer.overwrite(at: mark, with: flags)
    }
}

/// Texts that are the same in nearly every message of a queue: each is made once.
struct RepeatedTexts {
    /// The last text of one place.
    struct Place {
        private var last = ""

        /// These bytes as text; what is not UTF-8 is repaired.
        @inline(__always)
        mutating func text(_ bytes: UnsafeRawBufferPointer) -> String {
            guard bytes.count > 0 else { return "" }
            let isSame = last.withUTF8 { known in
                guard known.count == bytes.count, let left = known.baseAddress, let right = bytes.baseAddress else {
                    return false
                }
                return unsafe memcmp(left, right, known.count) == 0
            }
            if !isSame { unsafe last = String(decoding: bytes, as: UTF8.self) }
            return last
        }
    }

    var exchange = Place()
    var routingKey = Place()
    var contentType = Place()
    var type = Place()
    var userID = Place()
    var appID = Place()
}

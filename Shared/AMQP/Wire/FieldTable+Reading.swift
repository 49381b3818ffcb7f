extension FieldTable {
    /// Reads a table with its length prefix.
    ///
    /// What lies deeper than `maximumDepth` is read as `void`.
    ///
    /// - Throws: `AMQPError` where the bytes are no table.
    init(reading reader: inout ByteReader, depth: Int = 1) throws(AMQPError) {
        var inside = unsafe ByteReader(try reader.longBytes())
        var entries: [Entry] = []
        while inside.count > 0 {
            let name = try inside.shortText()
            entries.append(Entry(name: name, value: try FieldValue(reading: &inside, depth: depth)))
        }
        self.init(entries)
    }
}

extension FieldValue {
    /// Reads a value with its type octet.
    fileprivate init(reading reader: inout ByteReader, depth: Int) throws(AMQPError) {
        let kind = try reader.integer(UInt8.self)
        switch kind {
        case UInt8(ascii: "t"): self = .boolean(try reader.integer(UInt8.self) != 0)
        case UInt8(ascii: "b"): self = .int8(try reader.integer())
        case UInt8(ascii: "B"): self = .uint8(try reader.integer())
        case UInt8(ascii: "s"): self = .int16(try reader.integer())
        case UInt8(ascii: "u"): self = .uint16(try reader.integer())
        case UInt8(ascii: "I"): self = .int32(try reader.integer())
        case UInt8(ascii: "i"): self = .uint32(try reader.integer())
        // RabbitMQ knows no unsigned 64-bit integer; `L` is what old clients wrote for a signed one.
        case UInt8(ascii: "l"), UInt8(ascii: "L"): self = .int64(try reader.integer())
        case UInt8(ascii: "f"): self = .float(Float(bitPattern: try reader.integer()))
        case UInt8(ascii: "d"): self = .double(Double(bitPattern: try reader.integer()))
        case UInt8(ascii: "D"):
            let scale = try reader.integer(UInt8.self)
            self = .decimal(scale: scale, value: try reader.integer())
        case UInt8(ascii: "S"):
            let bytes = unsafe try reader.longBytes()
            if let text = unsafe String(valid: bytes) {
                self = .string(text)
            } else {
                self = unsafe .bytes(Array(bytes))
            }
        case UInt8(ascii: "x"): self = unsafe .bytes(Array(try reader.longBytes()))
        case UInt8(ascii: "T"): self = .timestamp(try reader.integer())
        case UInt8(ascii: "F"):
            if depth < FieldTable.maximumDepth {
                self = .table(try FieldTable(reading: &reader, depth: depth + 1))
            } else {
                unsafe _ = try reader.longBytes()
                self = .void
            }
        case UInt8(ascii: "A"):
            var inside = unsafe ByteReader(try reader.longBytes())
            guard depth < FieldTable.maximumDepth else {
                self = .void
                return
            }
            var values: [FieldValue] = []
            while inside.count > 0 { values.append(try FieldValue(reading: &inside, depth: depth + 1)) }
            self = .array(values)
        case UInt8(ascii: "V"): self = .void
        default:
            throw AMQPError(
                code: .connectionLost,
                reason: "receiving: the broker broke the protocol: a field has the unknown type \(kind)"
            )
        }
    }
}

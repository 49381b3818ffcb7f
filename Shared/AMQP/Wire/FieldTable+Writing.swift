extension FieldTable {
    /// Writes the table with its length prefix.
    ///
    /// Its names and depth are within bounds (`wireSize` is not nil).
    func write(to writer: inout ByteWriter) {
        let mark = writer.mark
        writer.append(UInt32(0))
        for entry in entries {
            writer.appendShort(entry.name)
            entry.value.write(to: &writer)
        }
        writer.overwrite(at: mark, with: UInt32(truncatingIfNeeded: writer.mark - mark - 4))
    }
}

extension FieldValue {
    /// Writes the value with its type octet.
    fileprivate func write(to writer: inout ByteWriter) {
        switch self {
        case .boolean(let value):
            writer.append(UInt8(ascii: "t"))
            writer.append(value ? 1 as UInt8 : 0)
        case .int8(let value):
            writer.append(UInt8(ascii: "b"))
            writer.append(value)
        case .uint8(let value):
            writer.append(UInt8(ascii: "B"))
            writer.append(value)
        case .int16(let value):
            writer.append(UInt8(ascii: "s"))
            writer.append(value)
        case .uint16(let value):
            writer.append(UInt8(ascii: "u"))
            writer.append(value)
        case .int32(let value):
            writer.append(UInt8(ascii: "I"))
            writer.append(value)
        case .uint32(let value):
            writer.append(UInt8(ascii: "i"))
            writer.append(value)
        case .int64(let value):
            writer.append(UInt8(ascii: "l"))
            writer.append(value)
        case .float(let value):
            writer.append(UInt8(ascii: "f"))
            writer.append(value.bitPattern)
        case .double(let value):
            writer.append(UInt8(ascii: "d"))
            writer.append(value.bitPattern)
        case .decimal(let scale, let value):
            writer.append(UInt8(ascii: "D"))
            writer.append(scale)
            writer.append(value)
        case .string(let text):
            writer.append(UInt8(ascii: "S"))
            writer.appendLong(text)
        case .bytes(let bytes):
            writer.append(UInt8(ascii: "x"))
            writer.append(UInt32(truncatingIfNeeded: bytes.count))
            writer.append(bytes)
        case .timestamp(let seconds):
            writer.append(UInt8(ascii: "T"))
            writer.append(seconds)
        case .table(let table):
            writer.append(UInt8(ascii: "F"))
            table.write(to: &writer)
        case .array(let values):
            writer.append(UInt8(ascii: "A"))
            let mark = writer.mark
            writer.append(UInt32(0))
            for value in values { value.write(to: &writer) }
            writer.overwrite(at: mark, with: UInt32(truncatingIfNeeded: writer.mark - mark - 4))
        case .void:
            writer.append(UInt8(ascii: "V"))
        }
    }
}

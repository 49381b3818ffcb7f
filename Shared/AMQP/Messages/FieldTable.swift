/// An AMQP field table: ordered pairs, as on the wire; a name may occur once.
public struct FieldTable: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    /// One entry.
    public struct Entry: Sendable, Equatable {
        /// The field's name, at most 255 bytes.
        public var name: String
        /// The field's value with its wire type.
        public var value: FieldValue

        /// Makes an entry.
        public init(name: String, value: FieldValue) {
            self.name = name
            self.value = value
        }
    }

    /// The entries in wire order.
    public var entries: [Entry]

    /// Makes a table of these entries.
    public init(_ entries: [Entry] = []) {
        self.entries = entries
    }

    /// Makes a table from a literal.
    public init(dictionaryLiteral elements: (String, FieldValue)...) {
        self.entries = elements.map { Entry(name: $0.0, value: $0.1) }
    }

    /// The value under that name; setting nil removes the entry.
    public subscript(name: String) -> FieldValue? {
        get { entries.first { $0.name == name }?.value }
        set {
            if let index = entries.firstIndex(where: { $0.name == name }) {
                if let newValue {
                    entries[index].value = newValue
                } else {
                    entries.remove(at: index)
                }
            } else if let newValue {
                entries.append(Entry(name: name, value: newValue))
            }
        }
    }
}

/// A field value with the type it has on the wire (RabbitMQ's dialect of the AMQP 0-9-1 field types).
public indirect enum FieldValue: Sendable, Equatable {
    /// `t`
    case boolean(Bool)
    /// `b`
    case int8(Int8)
    /// `B`
    case uint8(UInt8)
    /// `s`
    case int16(Int16)
    /// `u`
    case uint16(UInt16)
    /// `I`
    case int32(Int32)
    /// `i`
    case uint32(UInt32)
    /// `l`
    case int64(Int64)
    /// `f`
    case float(Float)
    /// `d`
    case double(Double)
    /// `D`: `value` divided by ten to the power of `scale`.
    case decimal(scale: UInt8, value: UInt32)
    /// `S`: text in UTF-8.
    case string(String)
    /// `S` or `x` whose bytes are not UTF-8, or are meant as bytes.
    case bytes([UInt8])
    /// `T`: seconds since 1970.
    case timestamp(UInt64)
    /// `F`
    case table(FieldTable)
    /// `A`
    case array([FieldValue])
    /// `V`
    case void
}

extension FieldValue {
    /// The value as text where it is text, otherwise nil.
    public var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The value as an integer where it is one of the integer types and fits, otherwise nil.
    public var integer: Int? {
        switch self {
        case .int8(let value): Int(value)
        case .uint8(let value): Int(value)
        case .int16(let value): Int(value)
        case .uint16(let value): Int(value)
        case .int32(let value): Int(value)
        case .uint32(let value): Int(value)
        case .int64(let value): Int(exactly: value)
        case .timestamp(let value): Int(exactly: value)
        default: nil
        }
    }
}

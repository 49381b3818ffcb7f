/// Decodes values from strict JSON.
///
/// Beside what `JSONDocument` refuses, a whole number is read from a whole number only: `1e3` and `10.0` are no integers, and
/// one that does not fit its type is an error, never cut off. Types decode as their `init(from:)` says; there are no special
/// cases for dates, data or the like.
public enum StrictJSON {
    /// Checks and decodes.
    ///
    /// - Throws: `JSONFault` when the bytes are not strict JSON; `DecodingError` that names the field; what the type throws.
    public static func decode<Value: Decodable>(
        _ type: Value.Type,
        from bytes: [UInt8],
        maximumDepth: Int = JSONDocument.standardDepth
    ) throws -> Value {
        try decode(type, from: JSONDocument(bytes, maximumDepth: maximumDepth))
    }

    /// Decodes the outermost value of a text that has been checked.
    ///
    /// - Throws: `DecodingError` that names the field; what the type throws.
    public static func decode<Value: Decodable>(_ type: Value.Type, from document: JSONDocument) throws -> Value {
        try NodeDecoder(document: document, node: 0).decode(type)
    }
}

/// A decoder at one node.
///
/// A value of two words: going down allocates nothing.
struct NodeDecoder: Decoder {
    let document: JSONDocument
    let node: Int

    /// Found only when somebody asks: by an error, mostly.
    var codingPath: [any CodingKey] { document.path(to: node) }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard document.nodes[node].kind == .object else { throw mismatch([String: Any].self, "an object") }
        return KeyedDecodingContainer(ObjectReader<Key>(document: document, node: node))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard document.nodes[node].kind == .array else { throw mismatch([Any].self, "an array") }
        return ArrayReader(document: document, node: node)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { self }

    func mismatch(_ type: Any.Type, _ expected: String) -> DecodingError {
        if document.nodes[node].kind == .null {
            return .valueNotFound(
                type,
                .init(codingPath: codingPath, debugDescription: "\(expected) is expected, not null")
            )
        }
        return .typeMismatch(type, .init(codingPath: codingPath, debugDescription: "\(expected) is expected"))
    }
}

extension NodeDecoder: SingleValueDecodingContainer {
    func decodeNil() -> Bool { document.nodes[node].kind == .null }

    func decode(_ type: Bool.Type) throws -> Bool {
        switch document.nodes[node].kind {
        case .yes: true
        case .no: false
        default: throw mismatch(type, "true or false")
        }
    }

    func decode(_ type: String.Type) throws -> String {
        guard let string = document.string(at: node) else { throw mismatch(type, "a text") }
        return string
    }

    func decode(_ type: Double.Type) throws -> Double { try real(type) }
    func decode(_ type: Float.Type) throws -> Float { try real(type) }
    func decode(_ type: Int.Type) throws -> Int { try integer(type) }
    func decode(_ type: Int8.Type) throws -> Int8 { try integer(type) }
    func decode(_ type: Int16.Type) throws -> Int16 { try integer(type) }
    func decode(_ type: Int32.Type) throws -> Int32 { try integer(type) }
    func decode(_ type: Int64.Type) throws -> Int64 { try integer(type) }
    func decode(_ type: UInt.Type) throws -> UInt { try integer(type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try integer(type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try integer(type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try integer(type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try integer(type) }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try Value(from: self) }

    @inline(__always)
    private func integer<Number: FixedWidthInteger>(_ type: Number.Type) throws -> Number {
        let entry = document.nodes[node]
        guard entry.kind == .integer else { throw mismatch(type, "a whole number") }
        var position = Int(entry.start)
        let end = Int(entry.end)
        let isNegative = document.bytes[position] == UInt8(ascii: "-")
        if isNegative { position += 1 }
        var value: Number = 0
        while position < end {
            let digit = Number(truncatingIfNeeded: document.bytes[position] &- 0x30)
            let (shifted, overflows) = value.multipliedReportingOverflow(by: 10)
            let (next, alsoOverflows) =
                isNegative ? shifted.subtractingReportingOverflow(digit) : shifted.addingReportingOverflow(digit)
            guard !overflows, !alsoOverflows else {
                throw DecodingError.dataCorrupted(
                    .init(
                        codingPath: codingPath,
                        debugDescription: "is out of range: \(Number.min) to \(Number.max) are allowed"
                    )
                )
            }
            value = next
            position += 1
        }
        return value
    }

    private func real<Number: BinaryFloatingPoint & LosslessStringConvertible>(_ type: Number.Type) throws -> Number {
        let entry = document.nodes[node]
        guard entry.kind == .integer || entry.kind == .real else { throw mismatch(type, "a number") }
        let text = String(decoding: document.bytes[Int(entry.start)..<Int(entry.end)], as: UTF8.self)
        guard let value = Number(text), value.isFinite else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: codingPath, debugDescription: "is out of range")
            )
        }
        return value
    }
}

/// A place in the document, as a coding key.
struct PathKey: CodingKey {
    var stringValue: String
    var intValue: Int?

    init(stringValue: String) { self.stringValue = stringValue }

    init(intValue: Int) {
        self.intValue = intValue
        stringValue = "Index \(intValue)"
    }
}

extension JSONDocument {
    /// The names and positions that lead from the outermost value to a node.
    func path(to target: Int) -> [any CodingKey] {
        var path: [any CodingKey] = []
        var current = 0
        while current != target {
            let node = nodes[current]
            var child = current + 1
            var isFound = false
            for position in 0..<Int(node.count) {
                let value = node.kind == .object ? child + 1 : child
                let next = Int(nodes[value].next)
                if target < next {
                    path.append(
                        node.kind == .object
                            ? PathKey(stringValue: string(at: child) ?? "") : PathKey(intValue: position)
                    )
                    current = value
                    isFound = true
                    break
                }
                child = next
            }
            guard isFound else { return path }
        }
        return path
    }
}

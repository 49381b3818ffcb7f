extension StrictJSON {
    /// Encodes a value as JSON in UTF-8, members in the order in which the type writes them.
    ///
    /// Types encode as their `encode(to:)` says; there are no special cases for dates, data or the like.
    ///
    /// - Throws: `EncodingError` for a number that JSON cannot hold; what the type throws.
    public static func encode(_ value: some Encodable, reserving capacity: Int = 512) throws -> [UInt8] {
        let output = JSONOutput(capacity: capacity)
        try output.write(whole: value)
        return output.bytes
    }
}

/// The text under construction.
///
/// A value is written straight into it: the containers that a type asks for are closed when its `encode(to:)` returns.
/// Containers that may be written in any order - nested ones and `super` encoders - get an output of their own, which is
/// put in its place when the value around it is closed.
final class JSONOutput {
    /// A member or element that is not finished before the value around it is.
    struct Deferred {
        var name: String?
        var output: JSONOutput
    }

    /// The value that is being written.
    struct Scope {
        enum Kind {
            case empty
            case object
            case array
            case single
        }

        var kind = Kind.empty
        var count = 0
        var deferred: [Deferred] = []
    }

    var bytes: [UInt8] = []
    /// The innermost value; those around it wait on the stack of calls.
    var scope = Scope()

    init(capacity: Int) {
        bytes.reserveCapacity(capacity)
    }

    /// Writes a value with everything in it.
    func write<Value: Encodable>(whole value: Value) throws {
        let outer = scope
        scope = Scope()
        try value.encode(to: JSONValueEncoder(output: self))
        close()
        scope = outer
    }

    /// Opens the object or array of the innermost value, once.
    func open(_ kind: Scope.Kind) {
        guard scope.kind == .empty else { return }
        scope.kind = kind
        switch kind {
        case .object: bytes.append(UInt8(ascii: "{"))
        case .array: bytes.append(UInt8(ascii: "["))
        case .single, .empty: break
        }
    }

    /// Ends the innermost value.
    func close() {
        for deferred in scope.deferred {
            if let name = deferred.name { member(name) } else { element() }
            deferred.output.close()
            bytes.append(contentsOf: deferred.output.bytes)
        }
        scope.deferred = []
        switch scope.kind {
        case .object: bytes.append(UInt8(ascii: "}"))
        case .array: bytes.append(UInt8(ascii: "]"))
        case .single: break
        case .empty: bytes.append(contentsOf: "{}".utf8)
        }
    }

    /// Begins a member.
    func member(_ name: String) {
        element()
        JSONText.append(name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
    }

    /// Begins an element.
    func element() {
        if scope.count > 0 { bytes.append(UInt8(ascii: ",")) }
        scope.count += 1
    }

    /// An output for a container that may be written later.
    func nested(_ name: String?) -> JSONOutput {
        let output = JSONOutput(capacity: 64)
        scope.deferred.append(Deferred(name: name, output: output))
        return output
    }

    // MARK: Values

    func writeNull() { bytes.append(contentsOf: "null".utf8) }
    func write(_ value: Bool) { bytes.append(contentsOf: (value ? "true" : "false").utf8) }
    func write(_ value: String) { JSONText.append(value, to: &bytes) }

    func write(integer value: some FixedWidthInteger) {
        bytes.append(contentsOf: String(value).utf8)
    }

    func write<Number: BinaryFloatingPoint & LosslessStringConvertible>(_ value: Number, _ path: [any CodingKey]) throws
    {
        guard value.isFinite else {
            throw EncodingError.invalidValue(
                value,
                .init(codingPath: path, debugDescription: "JSON holds no infinite numbers and no NaN")
            )
        }
        var text = value.description
        // As JSON's own number grammar has it: a whole number is written as one.
        if text.hasSuffix(".0") { text.removeLast(2) }
        bytes.append(contentsOf: text.utf8)
    }
}

/// The encoder of one value.
struct JSONValueEncoder: Encoder {
    let output: JSONOutput
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        output.open(.object)
        return KeyedEncodingContainer(ObjectWriter<Key>(output: output))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        output.open(.array)
        return ArrayWriter(output: output)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { SingleWriter(output: output) }
}

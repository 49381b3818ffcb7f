/// Writes the members of an object.
struct ObjectWriter<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let output: JSONOutput
    var codingPath: [any CodingKey] { [] }

    func encodeNil(forKey key: Key) {
        output.member(key.stringValue)
        output.writeNull()
    }

    func encode(_ value: Bool, forKey key: Key) {
        output.member(key.stringValue)
        output.write(value)
    }

    func encode(_ value: String, forKey key: Key) {
        output.member(key.stringValue)
        output.write(value)
    }

    func encode(_ value: Double, forKey key: Key) throws {
        output.member(key.stringValue)
        try output.write(value, [key])
    }

    func encode(_ value: Float, forKey key: Key) throws {
        output.member(key.stringValue)
        try output.write(value, [key])
    }

    func encode(_ value: Int, forKey key: Key) { write(value, key) }
    func encode(_ value: Int8, forKey key: Key) { write(value, key) }
    func encode(_ value: Int16, forKey key: Key) { write(value, key) }
    func encode(_ value: Int32, forKey key: Key) { write(value, key) }
    func encode(_ value: Int64, forKey key: Key) { write(value, key) }
    func encode(_ value: UInt, forKey key: Key) { write(value, key) }
    func encode(_ value: UInt8, forKey key: Key) { write(value, key) }
    func encode(_ value: UInt16, forKey key: Key) { write(value, key) }
    func encode(_ value: UInt32, forKey key: Key) { write(value, key) }
    func encode(_ value: UInt64, forKey key: Key) { write(value, key) }

    func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
        output.member(key.stringValue)
        try output.write(whole: value)
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type,
        forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        JSONValueEncoder(output: output.nested(key.stringValue)).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        JSONValueEncoder(output: output.nested(key.stringValue)).unkeyedContainer()
    }

    func superEncoder() -> any Encoder { JSONValueEncoder(output: output.nested("super")) }
    func superEncoder(forKey key: Key) -> any Encoder { JSONValueEncoder(output: output.nested(key.stringValue)) }

    @inline(__always)
    private func write(_ value: some FixedWidthInteger, _ key: Key) {
        output.member(key.stringValue)
        output.write(integer: value)
    }
}

/// Writes the elements of an array.
struct ArrayWriter: UnkeyedEncodingContainer {
    let output: JSONOutput
    var codingPath: [any CodingKey] { [] }
    var count: Int { output.scope.count + output.scope.deferred.count }

    func encodeNil() {
        begin()
        output.writeNull()
    }

    func encode(_ value: Bool) {
        begin()
        output.write(value)
    }

    func encode(_ value: String) {
        begin()
        output.write(value)
    }

    func encode(_ value: Double) throws {
        begin()
        try output.write(value, [])
    }

    func encode(_ value: Float) throws {
        begin()
        try output.write(value, [])
    }

    func encode(_ value: Int) { write(value) }
    func encode(_ value: Int8) { write(value) }
    func encode(_ value: Int16) { write(value) }
    func encode(_ value: Int32) { write(value) }
    func encode(_ value: Int64) { write(value) }
    func encode(_ value: UInt) { write(value) }
    func encode(_ value: UInt8) { write(value) }
    func encode(_ value: UInt16) { write(value) }
    func encode(_ value: UInt32) { write(value) }
    func encode(_ value: UInt64) { write(value) }

    func encode<Value: Encodable>(_ value: Value) throws {
        begin()
        try output.write(whole: value)
    }

    func nestedContainer<NestedKey: CodingKey>(keyedBy type: NestedKey.Type) -> KeyedEncodingContainer<NestedKey> {
        settle()
        return JSONValueEncoder(output: output.nested(nil)).container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        settle()
        return JSONValueEncoder(output: output.nested(nil)).unkeyedContainer()
    }

    func superEncoder() -> any Encoder {
        settle()
        return JSONValueEncoder(output: output.nested(nil))
    }

    @inline(__always)
    private func write(_ value: some FixedWidthInteger) {
        begin()
        output.write(integer: value)
    }

    private func begin() {
        settle()
        output.element()
    }

    /// Puts what was left open before into its place: the order of an array's elements counts.
    private func settle() {
        let deferred = output.scope.deferred
        guard !deferred.isEmpty else { return }
        output.scope.deferred = []
        for entry in deferred {
            output.element()
            entry.output.close()
            output.bytes.append(contentsOf: entry.output.bytes)
        }
    }
}

/// Writes a value that is neither object nor array.
struct SingleWriter: SingleValueEncodingContainer {
    let output: JSONOutput
    var codingPath: [any CodingKey] { [] }

    func encodeNil() { single { output.writeNull() } }
    func encode(_ value: Bool) { single { output.write(value) } }
    func encode(_ value: String) { single { output.write(value) } }
    func encode(_ value: Double) throws { try single { try output.write(value, []) } }
    func encode(_ value: Float) throws { try single { try output.write(value, []) } }
    func encode(_ value: Int) { single { output.write(integer: value) } }
    func encode(_ value: Int8) { single { output.write(integer: value) } }
    func encode(_ value: Int16) { single { output.write(integer: value) } }
    func encode(_ value: Int32) { single { output.write(integer: value) } }
    func encode(_ value: Int64) { single { output.write(integer: value) } }
    func encode(_ value: UInt) { single { output.write(integer: value) } }
    func encode(_ value: UInt8) { single { output.write(integer: value) } }
    func encode(_ value: UInt16) { single { output.write(integer: value) } }
    func encode(_ value: UInt32) { single { output.write(integer: value) } }
    func encode(_ value: UInt64) { single { output.write(integer: value) } }
    func encode<Value: Encodable>(_ value: Value) throws { try single { try output.write(whole: value) } }

    private func single(_ write: () throws -> Void) rethrows {
        output.open(.single)
        try write()
    }
}

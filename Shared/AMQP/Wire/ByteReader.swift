/// Reads the big-endian values of AMQP one after the other; every read is checked against the end.
///
/// It must not outlive the bytes that it was made of.
@safe struct ByteReader {
    private let start: UnsafeRawPointer?
    private var offset = 0
    private let end: Int

    init(_ bytes: UnsafeRawBufferPointer) {
        unsafe start = bytes.baseAddress
        end = bytes.count
    }

    /// How many bytes are left.
    var count: Int { end - offset }

    /// The next bytes, in place.
    ///
    /// - Throws: `AMQPError` where there are not that many.
    @inline(__always)
    mutating func bytes(_ count: Int) throws(AMQPError) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= end - offset else { throw Self.cutShort }
        defer { offset += count }
        return unsafe UnsafeRawBufferPointer(start: start.map { unsafe $0 + offset }, count: count)
    }

    @inline(__always)
    mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        _: Value.Type = Value.self
    ) throws(AMQPError) -> Value {
        let size = MemoryLayout<Value>.size
        guard size <= end - offset, let start = unsafe start else { throw Self.cutShort }
        defer { offset += size }
        return unsafe Value(bigEndian: start.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// A short string: one octet of length, at most 255 bytes.
    @inline(__always)
    mutating func shortBytes() throws(AMQPError) -> UnsafeRawBufferPointer {
        let count = try integer(UInt8.self)
        return unsafe try bytes(Int(count))
    }

    /// A short string as text; what is not UTF-8 is repaired, as short strings are UTF-8 by the specification.
    @inline(__always)
    mutating func shortText() throws(AMQPError) -> String {
        unsafe String(decoding: try shortBytes(), as: UTF8.self)
    }

    /// A long string: four octets of length.
    mutating func longBytes() throws(AMQPError) -> UnsafeRawBufferPointer {
        let count = try integer(UInt32.self)
        return unsafe try bytes(Int(count))
    }

    private static var cutShort: AMQPError {
        AMQPError(code: .connectionLost, reason: "receiving: the broker broke the protocol: a frame ends too early")
    }
}

import CRabbitMQ

/// Memory for the C values of one call: strings, tables and arrays live until `reset` or the arena's end.
///
/// For one thread only. It keeps its first block, so that a publish after the first allocates nothing.
@safe final class CArena {
    private var blocks: [UnsafeMutableRawBufferPointer] = unsafe []
    private var used = 0
    private static let blockSize = 16_384

    init() {
        unsafe blocks.append(.allocate(byteCount: Self.blockSize, alignment: 16))
    }

    deinit {
        while let block = unsafe blocks.popLast() { unsafe block.deallocate() }
    }

    /// Forgets everything; the pointers handed out are invalid from now on.
    func reset() {
        while unsafe blocks.count > 1 { unsafe blocks.removeLast().deallocate() }
        used = 0
    }

    /// Uninitialised memory, aligned for every C type.
    func allocate(_ size: Int) -> UnsafeMutableRawPointer {
        let start = (used + 15) & ~15
        if let block = unsafe blocks.last, let base = block.baseAddress, start + size <= block.count {
            used = start + size
            return unsafe base + start
        }
        let block = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(size, Self.blockSize, 1),
            alignment: 16
        )
        if unsafe blocks.count == 1, used == 0 {
            unsafe blocks.removeLast().deallocate()
        }
        unsafe blocks.append(block)
        used = size
        return unsafe block.baseAddress.unsafelyUnwrapped
    }

    /// Memory for so many values of one type.
    func allocate<Value>(_ type: Value.Type, count: Int) -> UnsafeMutablePointer<Value> {
        unsafe allocate(max(count, 1) * MemoryLayout<Value>.stride).bindMemory(to: type, capacity: max(count, 1))
    }

    /// A copy of the text's UTF-8, without a NUL.
    func bytes(_ text: String) -> amqp_bytes_t {
        var text = text
        return text.withUTF8 { unsafe bytes(UnsafeRawBufferPointer($0)) }
    }

    /// A copy of the bytes.
    func bytes(_ array: [UInt8]) -> amqp_bytes_t {
        unsafe array.withUnsafeBytes { unsafe bytes($0) }
    }

    private func bytes(_ source: UnsafeRawBufferPointer) -> amqp_bytes_t {
        let memory = unsafe allocate(source.count)
        if let base = source.baseAddress { unsafe memory.copyMemory(from: base, byteCount: source.count) }
        return unsafe amqp_bytes_t(len: source.count, bytes: memory)
    }
}

extension amqp_bytes_t {
    /// The bytes, copied.
    var array: [UInt8] {
        guard let base = unsafe bytes, unsafe len > 0 else { return [] }
        return unsafe Array(UnsafeRawBufferPointer(start: base, count: len))
    }

    /// The bytes as text, copied; what is not UTF-8 is repaired, as short strings are UTF-8 by the specification.
    var text: String {
        guard let base = unsafe bytes, unsafe len > 0 else { return "" }
        return unsafe String(decoding: UnsafeRawBufferPointer(start: base, count: len), as: UTF8.self)
    }

    /// The bytes as text, copied, if they are UTF-8.
    var validText: String? {
        guard let base = unsafe bytes, unsafe len > 0 else { return "" }
        return unsafe String(valid: UnsafeRawBufferPointer(start: base, count: len))
    }
}

extension String {
    /// The bytes as text, if they are UTF-8.
    ///
    /// `String(validating:as:)` says the same, but is not specialized for bytes and costs ten times as much.
    init?(valid bytes: UnsafeRawBufferPointer) {
        var text = unsafe String(decoding: bytes, as: UTF8.self)
        // What was repaired differs.
        guard text.withUTF8({ unsafe $0.elementsEqual(bytes) }) else { return nil }
        self = text
    }
}

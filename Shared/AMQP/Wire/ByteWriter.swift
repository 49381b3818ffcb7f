/// Bytes on their way to the socket: frames are appended at one end and taken off at the other.
///
/// It keeps its memory, up to what a burst needs.
@safe struct ByteWriter: ~Copyable {
    /// More than this is given back once it is empty.
    private static let keptCapacity = 262_144

    private var memory: UnsafeMutableRawBufferPointer
    private var head = 0
    private var tail = 0

    init() {
        unsafe memory = .allocate(byteCount: 4_096, alignment: 16)
    }

    deinit {
        unsafe memory.deallocate()
    }

    /// How many bytes wait.
    var count: Int { tail - head }

    /// What waits, valid until the next change.
    var waiting: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(rebasing: memory[head..<tail]) }

    /// So many bytes have gone out.
    mutating func removeFirst(_ count: Int) {
        head += count
        guard head == tail else {
            // A peer that is always behind must not make the memory grow.
            if head > Self.keptCapacity / 2 { moveToFront() }
            return
        }
        head = 0
        tail = 0
        if unsafe memory.count > Self.keptCapacity {
            unsafe memory.deallocate()
            unsafe memory = .allocate(byteCount: 4_096, alignment: 16)
        }
    }

    /// The place of the next byte, for `overwrite` and `removeLast(to:)`; valid until bytes go out.
    var mark: Int { tail }

    /// Takes back everything since the mark.
    mutating func removeLast(to mark: Int) {
        tail = mark
    }

    @inline(__always)
    mutating func append<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
        let size = MemoryLayout<Value>.size
        reserve(size)
        unsafe memory.storeBytes(of: value.bigEndian, toByteOffset: tail, as: Value.self)
        tail += size
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count)
        unsafe UnsafeMutableRawBufferPointer(rebasing: memory[tail..<tail + bytes.count]).copyMemory(from: bytes)
        tail += bytes.count
    }

    mutating func append(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe append($0) }
    }

    /// Text of at most 255 bytes behind its length.
    @inline(__always)
    mutating func appendShort(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            append(UInt8(truncatingIfNeeded: bytes.count))
            unsafe append(UnsafeRawBufferPointer(bytes))
        }
    }

    mutating func appendLong(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            append(UInt32(truncatingIfNeeded: bytes.count))
            unsafe append(UnsafeRawBufferPointer(bytes))
        }
    }

    /// Writes over what was appended at the mark.
    mutating func overwrite<Value: FixedWidthInteger & BitwiseCopyable>(at mark: Int, with value: Value) {
        unsafe memory.storeBytes(of: value.bigEndian, toByteOffset: mark, as: Value.self)
    }

    @inline(__always)
    private mutating func reserve(_ size: Int) {
        if unsafe tail + size > memory.count { grow(size) }
    }

    private mutating func moveToFront() {
        let count = tail - head
        unsafe UnsafeMutableRawBufferPointer(rebasing: memory[0..<count])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[head..<tail]))
        head = 0
        tail = count
    }

    private mutating func grow(_ size: Int) {
        let count = tail - head
        // Every byte keeps its place: marks stay valid.
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: unsafe max(memory.count * 2, tail + size),
            alignment: 16
        )
        unsafe UnsafeMutableRawBufferPointer(rebasing: larger[head..<head + count])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[head..<tail]))
        unsafe memory.deallocate()
        unsafe memory = larger
    }
}

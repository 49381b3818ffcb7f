import Glibc

/// Memory for the texts and blobs that a statement is bound to while it runs.
///
/// SQLite refers to them instead of copying them once more, so they must not move: room for all of them is made first.
/// Belongs to its connection's thread.
@safe final class SQLiteScratch {
    /// A larger piece is given back when a smaller one would do.
    private static let kept = 1 << 16

    private var memory: UnsafeMutableRawPointer
    private var capacity = 4_096
    private var used = 0

    init() {
        unsafe memory = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        unsafe memory.deallocate()
    }

    /// Forgets what is in it, and makes room for that many bytes.
    func reset(capacity wanted: Int) {
        used = 0
        guard wanted > capacity || (capacity > Self.kept && wanted <= Self.kept) else { return }
        unsafe memory.deallocate()
        capacity = max(wanted, 4_096)
        unsafe memory = .allocate(byteCount: capacity, alignment: 16)
    }

    /// Copies a text; the bytes stay until the next `reset`.
    func append(_ text: String) -> UnsafeRawBufferPointer {
        var text = text
        return text.withUTF8 { bytes in unsafe copy(UnsafeRawBufferPointer(bytes)) }
    }

    /// Copies a blob; the bytes stay until the next `reset`.
    func append(_ blob: [UInt8]) -> UnsafeRawBufferPointer {
        unsafe blob.withUnsafeBytes { bytes in unsafe copy(bytes) }
    }

    private func copy(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let start = unsafe memory + used
        guard let source = bytes.baseAddress, bytes.count > 0 else {
            return unsafe UnsafeRawBufferPointer(start: start, count: 0)
        }
        precondition(used + bytes.count <= capacity)
        unsafe memcpy(start, source, bytes.count)
        used += bytes.count
        return unsafe UnsafeRawBufferPointer(start: start, count: bytes.count)
    }
}

import CRabbitMQ

@testable import AMQP

/// Field tables from the wire: what the C library decodes becomes values, and these go to the wire and back unchanged, in as
/// many bytes as were computed.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = Pool()
    guard let table = input.decode(start, count) else { return 0 }
    let first = FieldTable(table)
    // What is too deep is read as `void`, so what was read can be written, unless C's recursion and ours count differently.
    guard let size = first.wireSize() else { return 0 }
    let bytes = encoded(first, size)
    let output = Pool()
    guard let again = bytes.withUnsafeBufferPointer({ output.decode($0.baseAddress, $0.count) }) else {
        preconditionFailure("what was written cannot be read")
    }
    // Compared as bytes: a NaN is not equal to itself.
    precondition(encoded(FieldTable(again), size) == bytes, "a table changed on its way")
    return 0
}

private func encoded(_ table: FieldTable, _ size: Int) -> [UInt8] {
    let arena = CArena()
    return [UInt8](unsafeUninitializedCapacity: size) { buffer, used in
        var source = table.makeC(in: arena)
        used = 0
        let memory = amqp_bytes_t(len: size, bytes: buffer.baseAddress)
        precondition(amqp_encode_table(memory, &source, &used) == 0 && used == size, "the computed size is wrong")
    }
}

/// The C library's memory for what it decodes.
private final class Pool {
    private var pool = amqp_pool_t()

    init() { init_amqp_pool(&pool, 4_096) }
    deinit { empty_amqp_pool(&pool) }

    func decode(_ start: UnsafePointer<UInt8>?, _ count: Int) -> amqp_table_t? {
        var table = amqp_table_t()
        var offset = 0
        let bytes = amqp_bytes_t(len: count, bytes: UnsafeMutableRawPointer(mutating: start))
        return amqp_decode_table(bytes, &pool, &table, &offset) == 0 ? table : nil
    }
}

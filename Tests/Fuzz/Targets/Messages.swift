import CRabbitMQ

@testable import AMQP

/// Messages put together from frames in any order, with any sizes and properties: the input is a list of frames.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let limit = 1_024
    var input = UnsafeBufferPointer(start: start, count: count)[...]
    var assembler = MessageAssembler(maximumBodySize: limit)
    do throws(AMQPError) {
        while let kind = input.popFirst() {
            let frame: IncomingFrame?
            switch kind % 4 {
            case 0:
                let announcement = MessageAssembler.Announcement.delivery(
                    tag: UInt64(kind),
                    redelivered: kind & 4 != 0,
                    exchange: "e",
                    routingKey: "k"
                )
                try assembler.announced(announcement)
                frame = nil
            case 1:
                try assembler.announced(.returned(reason: "312", exchange: "e", routingKey: "k"))
                frame = nil
            case 2:
                let size = number(&input, bytes: kind & 4 != 0 ? 8 : 2)
                frame = try header(&assembler, piece(&input), size)
            default:
                frame = try assembler.body(UnsafeRawBufferPointer(rebasing: piece(&input)))
            }
            check(frame, limit)
            for delivery in assembler.takeDeliveries() {
                precondition(delivery.message.body.count <= limit)
                precondition(!delivery.isOversized || delivery.message.body.count == limit)
            }
        }
    } catch {
        precondition(error.code == .connectionLost, "\(error)")
    }
    return 0
}

private func number(_ input: inout Slice<UnsafeBufferPointer<UInt8>>, bytes: Int) -> UInt64 {
    (0..<bytes).reduce(0) { number, _ in number << 8 | UInt64(input.popFirst() ?? 0) }
}

private func piece(_ input: inout Slice<UnsafeBufferPointer<UInt8>>) -> Slice<UnsafeRawBufferPointer> {
    let count = Int(number(&input, bytes: 2))
    let piece = input.prefix(count)
    input = input.dropFirst(count)
    let buffer = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: piece))
    return buffer[...]
}

private func header(
    _ assembler: inout MessageAssembler,
    _ encoded: Slice<UnsafeRawBufferPointer>,
    _ size: UInt64
) throws(AMQPError) -> IncomingFrame? {
    var pool = amqp_pool_t()
    init_amqp_pool(&pool, 4_096)
    defer { empty_amqp_pool(&pool) }
    var decoded: UnsafeMutableRawPointer?
    // A copy of exactly these bytes: reading beyond them is found.
    let copy = Array(encoded)
    let status = copy.withUnsafeBytes { bytes in
        let source = amqp_bytes_t(len: bytes.count, bytes: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
        // With two bytes or fewer there are not even flags; the broker's frames always have them.
        return bytes.count < 2 ? -1 : amqp_decode_properties(60, &pool, source, &decoded)
    }
    guard status == 0, let decoded else { return nil }
    let properties = copy.withUnsafeBytes { _ in
        MessageProperties(decoded.assumingMemoryBound(to: amqp_basic_properties_t.self).pointee)
    }
    checkRoundTrip(properties)
    return try assembler.header(properties, bodySize: size)
}

/// Properties that may be published come back as they went.
private func checkRoundTrip(_ properties: MessageProperties) {
    let publication = Publication(exchange: "", routingKey: "", message: Message(body: [], properties: properties))
    guard (try? publication.validate()) != nil else { return }
    let arena = CArena()
    var source = properties.makeC(in: arena)
    var bytes = [UInt8](repeating: 0, count: 131_072)
    var pool = amqp_pool_t()
    init_amqp_pool(&pool, 4_096)
    defer { empty_amqp_pool(&pool) }
    bytes.withUnsafeMutableBytes { buffer in
        let memory = amqp_bytes_t(len: buffer.count, bytes: buffer.baseAddress)
        let length = amqp_encode_properties(60, &source, memory)
        precondition(length >= 0, "valid properties cannot be encoded")
        var decoded: UnsafeMutableRawPointer?
        let written = amqp_bytes_t(len: Int(length), bytes: buffer.baseAddress)
        guard amqp_decode_properties(60, &pool, written, &decoded) == 0, let decoded else {
            preconditionFailure("what was written cannot be read")
        }
        let again = MessageProperties(decoded.assumingMemoryBound(to: amqp_basic_properties_t.self).pointee)
        // As text: a NaN is not equal to itself.
        precondition("\(again)" == "\(properties)", "properties changed on their way")
    }
}

private func check(_ frame: IncomingFrame?, _ limit: Int) {
    if case .returned(_, _, _, let message) = frame { precondition(message.body.count <= limit) }
}

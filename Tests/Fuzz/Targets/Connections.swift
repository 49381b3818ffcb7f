import AMQP
import Dispatch
import Synchronization
import Telemetry

/// A publisher or a consumer with a peer that says anything, at any moment of the connection: forged, truncated and misplaced
/// frames, whole or in single bytes.
///
/// Nothing crashes; no call hangs, once the peer has said its last word; every message that was submitted gets one outcome, and
/// what is delivered keeps to the limits.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    var input = Input(UnsafeBufferPointer(start: start, count: count))
    let consumes = input.byte() & 1 == 0
    // In place of this answer of the peer, or after the last that a client needs to be ready.
    let last = consumes ? 5 : 4
    let moment = Int(input.byte() % 8)
    let isByteByByte = input.byte() & 7 == 0
    var bytes = input.frames()
    let pieces = isByteByByte ? bytes.prefix(512).map { [$0] } : [bytes]
    bytes = []
    broker.follow { connection, count, usual in
        // What comes after the first connection is not of interest.
        guard connection == 0 else { return .init([], isLast: true) }
        guard count == min(moment, last) else { return .init([usual]) }
        return .init((moment > last ? [usual] : []) + pieces, isLast: true)
    }
    let done = DispatchSemaphore(value: 0)
    Task.detached {
        if consumes { await consume() } else { await publish() }
        done.signal()
    }
    done.wait()
    return 0
}

/// Listens for the whole run.
private let broker: FakeBroker = {
    do { return try FakeBroker() } catch { preconditionFailure("\(error)") }
}()

private let limit = 1_024

private func configuration() -> ConnectionConfiguration {
    do {
        var configuration = try ConnectionConfiguration(urls: ["amqp://127.0.0.1:\(broker.port)/"], name: "fuzz")
        configuration.maximumBodySize = limit
        // Longer than the fuzzer lets an input take.
        configuration.timeout = .seconds(60)
        configuration.closingTimeout = .seconds(60)
        configuration.backoff = .seconds(600) ... .seconds(600)
        return configuration
    } catch {
        preconditionFailure("\(error)")
    }
}

private func consume() async {
    let consumer = Consumer(configuration(), queue: "q", prefetch: 10, logger: .silent)
    let states = consumer.states
    let run = Task { await consumer.run() }
    let reading = Task {
        var tags: Set<IncomingMessage.Tag> = []
        for await burst in consumer.bursts {
            for message in burst {
                precondition(message.message.body.count <= limit)
                precondition(!message.isOversized || message.message.body.count == limit)
                precondition(tags.insert(message.tag).inserted, "a tag was given twice")
                if message.redelivered {
                    consumer.reject(message.tag, requeue: true)
                } else {
                    consumer.ack(message.tag)
                }
            }
        }
    }
    await expectEnd(states)
    run.cancel()
    await run.value
    await reading.value
    precondition(consumer.statistics.hungCalls == 0)
}

private func publish() async {
    let publisher = Publisher(configuration(), window: 3, logger: .silent)
    let count = 5
    let outcomes = Mutex([Int](repeating: 0, count: count))
    publisher.submit(
        (0..<count).map { Publication(exchange: "", routingKey: "q", message: Message(body: [UInt8($0)])) }
    ) {
        index,
        _ in
        outcomes.withLock { $0[index] += 1 }
    }
    let states = publisher.states
    let run = Task { await publisher.run() }
    await expectEnd(states)
    run.cancel()
    await run.value
    precondition(outcomes.withLock { $0 } == Array(repeating: 1, count: count), "not one outcome each")
    precondition(publisher.statistics.hungCalls == 0)
    precondition(publisher.statistics.inFlight == 0 && publisher.statistics.waiting == 0)
}

/// Waits until the client knows that its connection is over.
private func expectEnd(_ states: AsyncStream<ConnectionState>) async {
    for await state in states {
        if case .closed(let cause) = state, cause != "not started" { return }
    }
}

/// The input as a list of frames.
private struct Input {
    private var rest: Slice<UnsafeBufferPointer<UInt8>>
    /// The delivery tag that a broker would give next.
    private var tag: UInt64 = 1

    init(_ bytes: UnsafeBufferPointer<UInt8>) { rest = bytes[...] }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    private mutating func number(_ count: Int) -> UInt64 {
        (0..<count).reduce(0) { number, _ in number << 8 | UInt64(byte()) }
    }

    private mutating func piece() -> [UInt8] {
        let count = Int(number(2) % 2_048)
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    /// The methods that a broker may send, and some that it may not.
    private static let methods: [(UInt16, UInt16)] = [
        (60, 60), (60, 50), (60, 80), (60, 120), (60, 30), (60, 31), (60, 11), (60, 21), (60, 71), (60, 72), (60, 111),
        (10, 10),
        (10, 20), (10, 30), (10, 41), (10, 50), (10, 51), (10, 60), (10, 61), (20, 11), (20, 20), (20, 40), (20, 41),
        (50, 11),
        (85, 11), (90, 11), (60, 40), (10, 11), (0, 0), (0xFFFF, 0xFFFF),
    ]

    mutating func frames() -> [UInt8] {
        var bytes: [UInt8] = []
        while !rest.isEmpty, bytes.count < 1 << 18 {
            let kind = byte()
            // Mostly the client's channel.
            let channel: UInt16 = kind & 0xC0 == 0xC0 ? UInt16(byte()) : 1
            switch kind & 0x0F {
            case 0: bytes += piece()
            case 1:
                let method = Self.methods[Int(byte()) % Self.methods.count]
                bytes += Frames.method(method.0 == 10 ? 0 : channel, method.0, method.1, piece())
            case 2: bytes += Frames.header(channel, bodySize: number(kind & 0x10 == 0 ? 2 : 8), properties: piece())
            case 3: bytes += Frames.body(channel, piece())
            case 4: bytes += Frames.heartbeat
            case 5: bytes += Frames.deliver(tag: kind & 0x10 == 0 ? nextTag() : number(8), queue: "q")
            case 6: bytes += Frames.returned(exchange: "", routingKey: "q")
            case 7: bytes += Frames.ack(number(kind & 0x10 == 0 ? 1 : 8), multiple: kind & 0x20 != 0)
            case 8: bytes += Frames.nack(number(kind & 0x10 == 0 ? 1 : 8), multiple: kind & 0x20 != 0)
            case 9: bytes += message(channel, Frames.deliver(tag: nextTag(), queue: "q"), piece())
            case 10: bytes += message(channel, Frames.returned(exchange: "", routingKey: "q"), piece())
            case 11: bytes += Frames.frame(byte(), channel, piece())
            case 12:
                // Cut off, or with a wrong end or length.
                var frame = Frames.body(channel, piece())
                if kind & 0x10 == 0 { frame.removeLast(min(Int(byte()), frame.count)) } else { frame[4] = byte() }
                bytes += frame
            case 13: bytes += kind & 0x10 == 0 ? Frames.blocked("b") : Frames.unblocked
            case 14: bytes += Frames.consumerCancel("warren")
            default: bytes += kind & 0x10 == 0 ? Frames.connectionClose(320, "c") : Frames.channelClose(404, "c")
            }
        }
        return bytes
    }

    private mutating func nextTag() -> UInt64 {
        defer { tag += 1 }
        return tag
    }

    /// A whole message whose body may come in two pieces, and may be shorter or longer than its header says.
    private mutating func message(_ channel: UInt16, _ method: [UInt8], _ body: [UInt8]) -> [UInt8] {
        let kind = byte()
        let size = kind & 7 == 7 ? UInt64(kind >> 3) : UInt64(body.count)
        let first = kind & 8 == 0 ? body.count : body.count / 2
        let pieces = [Array(body.prefix(first)), Array(body.dropFirst(first))].filter { !$0.isEmpty }
        return method + Frames.header(channel, bodySize: size) + pieces.flatMap { Frames.body(channel, $0) }
    }
}

import Testing

@testable import AMQP

@Suite("Acks become few frames without acknowledging too much")
struct AckCoalescerTests {
    private func coalescer(_ count: UInt64) -> AckCoalescer {
        var coalescer = AckCoalescer()
        for tag in 1...count { _ = coalescer.delivered(tag) }
        return coalescer
    }

    private func flush(_ coalescer: inout AckCoalescer, acking tags: [UInt64]) -> [AckCoalescer.Frame] {
        for tag in tags { _ = coalescer.ack(tag) }
        return coalescer.flush()
    }

    @Test("Contiguous acks become one with `multiple`, in whatever order they are given")
    func contiguous() {
        var coalescer = coalescer(5)
        let frames = flush(&coalescer, acking: [3, 1, 2])
        #expect(frames == [.ack(3, multiple: true)])
        let rest = flush(&coalescer, acking: [4])
        #expect(rest == [.ack(4, multiple: false)])
        #expect(coalescer.open == 1)
    }

    @Test("An ack beyond a gap is written by itself at once and never covers the gap")
    func gap() {
        var coalescer = coalescer(6)
        let frames = flush(&coalescer, acking: [1, 2, 4, 6])
        #expect(frames == [.ack(2, multiple: true), .ack(4, multiple: false), .ack(6, multiple: false)])
        let rest = flush(&coalescer, acking: [3, 5])
        #expect(rest == [.ack(5, multiple: true)])
    }

    @Test("A `multiple` ends at a tag that the broker still waits for")
    func lastTag() {
        var coalescer = coalescer(3)
        let beyond = flush(&coalescer, acking: [3])
        #expect(beyond == [.ack(3, multiple: false)])
        let front = flush(&coalescer, acking: [1, 2])
        #expect(front == [.ack(2, multiple: true)])
    }

    @Test("Rejects are written before the ack that passes over them")
    func rejects() {
        var coalescer = coalescer(3)
        let isKnown = coalescer.reject(2, requeue: false)
        #expect(isKnown)
        let frames = flush(&coalescer, acking: [1, 3])
        #expect(frames == [.reject(2, requeue: false), .ack(3, multiple: true)])
        #expect(coalescer.open == 0)
        #expect(coalescer.settledCount == 3)
    }

    @Test("A tag that is unknown or settled is dropped: the broker would close the channel for it")
    func unknown() {
        var coalescer = coalescer(2)
        _ = flush(&coalescer, acking: [1])
        let again = coalescer.ack(1)
        let future = coalescer.ack(3)
        let zero = coalescer.ack(0)
        let rejected = coalescer.reject(1, requeue: true)
        #expect(![again, future, zero, rejected].contains(true))
        let good = coalescer.ack(2)
        let twice = coalescer.ack(2)
        #expect(good && !twice)
        let frames = coalescer.flush()
        #expect(frames == [.ack(2, multiple: false)])
        let nothing = coalescer.flush()
        #expect(nothing.isEmpty)
    }

    @Test("A gap in the broker's tags is noticed")
    func brokenTags() {
        var coalescer = coalescer(2)
        let skipped = coalescer.delivered(4)
        let next = coalescer.delivered(3)
        #expect(!skipped && next)
    }

    @Test("Whatever the order of acks and flushes, each tag is acknowledged once and only after it was given")
    func randomOrder() {
        var generator = SplitMix(state: 42)
        for _ in 0..<200 {
            var coalescer = AckCoalescer()
            var waiting: [UInt64] = []
            var given: Set<UInt64> = []
            var onBroker: Set<UInt64> = []
            var next: UInt64 = 1
            for _ in 0..<300 {
                switch Int.random(in: 0..<10, using: &generator) {
                case 0..<4:
                    let isNext = coalescer.delivered(next)
                    #expect(isNext)
                    waiting.append(next)
                    onBroker.insert(next)
                    next += 1
                case 4..<8:
                    guard !waiting.isEmpty else { continue }
                    let tag = waiting.remove(at: Int.random(in: 0..<waiting.count, using: &generator))
                    given.insert(tag)
                    let isKnown = coalescer.ack(tag)
                    #expect(isKnown)
                default:
                    for case .ack(let tag, let multiple) in coalescer.flush() {
                        #expect(onBroker.contains(tag))
                        let acknowledged: Set<UInt64> = multiple ? onBroker.filter { $0 <= tag } : [tag]
                        #expect(acknowledged.isSubset(of: given))
                        onBroker.subtract(acknowledged)
                    }
                }
            }
            for case .ack(let tag, let multiple) in coalescer.flush() {
                onBroker.subtract(multiple ? onBroker.filter { $0 <= tag } : [tag])
            }
            #expect(onBroker == Set(waiting))
            #expect(coalescer.open == waiting.count)
        }
    }
}

/// A small seeded generator (splitmix64), so that a failing run can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

import Testing

@testable import AMQP

@Suite("Pauses between attempts to reconnect")
struct BackoffTests {
    @Test("The limit doubles up to the cap, and begins anew after a success")
    func limits() {
        var generator = SplitMix(state: 1)
        var backoff = Backoff(.milliseconds(100) ... .seconds(1))
        var limits: [Duration] = []
        for _ in 0..<6 {
            limits.append(backoff.limit)
            let pause = backoff.next(using: &generator)
            #expect(pause >= .zero && pause <= limits[limits.count - 1])
        }
        #expect(limits == [100, 200, 400, 800, 1_000, 1_000].map { .milliseconds($0) })
        backoff.reset()
        #expect(backoff.limit == .milliseconds(100))
    }

    @Test("Pauses are spread over the whole range, so that clients do not come back together")
    func jitter() {
        var generator = SplitMix(state: 7)
        let pauses = (0..<1_000).map { _ in
            var backoff = Backoff(.seconds(1) ... .seconds(5))
            return backoff.next(using: &generator)
        }
        #expect(pauses.count { $0 < .milliseconds(500) } > 400)
        #expect(pauses.count { $0 >= .milliseconds(500) } > 400)
    }

    @Test("An endless series of failures stays at the cap")
    func endless() {
        var generator = SplitMix(state: 3)
        var backoff = Backoff(.milliseconds(1) ... .seconds(5))
        for _ in 0..<10_000 { _ = backoff.next(using: &generator) }
        #expect(backoff.limit == .seconds(5))
    }
}

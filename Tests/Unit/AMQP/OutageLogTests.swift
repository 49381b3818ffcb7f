import Testing

@testable import AMQP

@Suite("Lines in the log while a broker is away")
struct OutageLogTests {
    private let start = ContinuousClock.now

    @Test("An hour of failures five times a second is told in growing intervals: 0, 1, 3, 7 ... and then once a minute")
    func growingIntervals() {
        var log = OutageLog()
        var told: [Int] = []
        for step in 0..<(3_600 * 5) {
            guard log.failed("refused", at: start + .milliseconds(step * 200)) != nil else { continue }
            told.append(step / 5)
        }
        #expect(told.prefix(8) == [0, 1, 3, 7, 15, 31, 63, 123])
        #expect(zip(told.dropFirst(7), told.dropFirst(8)).allSatisfy { $1 - $0 == 60 })
        #expect(told.count < 70)
    }

    @Test("A line says how many failures there were and for how long")
    func counts() {
        var log = OutageLog()
        #expect(log.failed("refused", at: start) == OutageLog.Notice(failures: 1, away: .zero))
        #expect(log.failed("refused", at: start + .milliseconds(500)) == nil)
        let second = log.failed("refused", at: start + .seconds(1))
        #expect(second == OutageLog.Notice(failures: 3, away: .seconds(1)))
    }

    @Test("Another cause is told at once, and only once: several endpoints fail in turn, each in its own way")
    func otherCauses() {
        var log = OutageLog()
        var told: [String] = []
        for step in 0..<300 {
            let cause = ["a is refused", "b is unknown", "c is silent"][step % 3]
            if log.failed(cause, at: start + .milliseconds(step)) != nil { told.append(cause) }
        }
        #expect(told == ["a is refused", "b is unknown", "c is silent"])
    }

    @Test("Causes that differ each time do not open the floodgate")
    func everDifferentCauses() {
        var log = OutageLog()
        let told = (0..<1_000).count { log.failed("port \($0)", at: start + .microseconds($0)) != nil }
        #expect(told == 16)
    }

    @Test("The return is told with the length of the outage; the very first connection is no return")
    func again() {
        var log = OutageLog()
        #expect(log.connected(at: start) == OutageLog.Notice(failures: 0, away: .zero))
        _ = log.failed("lost", at: start + .seconds(10))
        _ = log.failed("refused", at: start + .seconds(11))
        #expect(log.connected(at: start + .seconds(30)) == OutageLog.Notice(failures: 2, away: .seconds(20)))
        // The next outage is a new one.
        #expect(log.failed("lost", at: start + .seconds(40)) == OutageLog.Notice(failures: 1, away: .zero))
    }

    @Test("A connection that breaks at once, again and again, is told as rarely as one that is refused")
    func flapping() {
        var log = OutageLog()
        var lines = 0
        for step in 0..<1_000 {
            let now = start + .milliseconds(step * 100)
            if log.connected(at: now) != nil { lines += 1 }
            if log.failed("lost", at: now + .milliseconds(10)) != nil { lines += 1 }
        }
        // 100 s: failures at 0, 1, 3, 7, 15, 31, 63 s, each with the connection that followed, and the first.
        #expect(lines == 15)
    }
}

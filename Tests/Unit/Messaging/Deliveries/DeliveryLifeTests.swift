import Testing

@testable import Messaging

@Suite("The life of a delivery")
struct DeliveryLifeTests {
    private let policy = RetryPolicy(attempts: 3, base: .seconds(1), factor: 4, cap: .seconds(300))
    private let hour: Int64 = 3_600_000

    private func fail(
        _ life: inout DeliveryLife,
        _ error: HandlerError,
        at now: Int64,
        limit: Duration? = .seconds(3600)
    ) -> HandlerError {
        life.fail(error, policy: policy, deferralLimit: limit, now: now, random: 1)
    }

    @Test("is scheduled after each failed attempt but the last, with growing pauses, and dead after that")
    func attempts() {
        var life = DeliveryLife(state: .scheduled)
        for (attempt, due) in [(1, Int64(1_000)), (2, 4_000)] {
            life.attempts = attempt
            _ = fail(&life, .transient("t", ""), at: 0)
            #expect(life == DeliveryLife(state: .scheduled, attempts: attempt, dueAt: due))
        }
        life.attempts = 3
        _ = fail(&life, .transient("t", ""), at: 0)
        #expect(life == DeliveryLife(state: .dead, attempts: 3))
    }

    @Test("ends with an error that no retry can help")
    func permanent() {
        var life = DeliveryLife(state: .scheduled, attempts: 1)
        #expect(fail(&life, .permanent("p", "no"), at: 0).errorClass == "p")
        #expect(life == DeliveryLife(state: .dead, attempts: 1))
    }

    @Test("is put off without costing an attempt, until its time is up")
    func deferral() {
        var life = DeliveryLife(state: .scheduled, attempts: 1)
        #expect(fail(&life, .deferred(until: 500, "lock", "held"), at: 100).errorClass == "lock")
        #expect(life == DeliveryLife(state: .scheduled, attempts: 0, dueAt: 500, deferredSince: 100))
        // A failure in between costs an attempt and does not begin the time anew.
        life.attempts = 1
        _ = fail(&life, .transient("t", ""), at: 600)
        #expect(life == DeliveryLife(state: .scheduled, attempts: 1, dueAt: 1_600, deferredSince: 100))
        // Put off beyond its time, it is tried when the time is up.
        life.attempts = 2
        _ = fail(&life, .deferred(until: 10 * hour, "lock", "held"), at: 1_600)
        #expect(life == DeliveryLife(state: .scheduled, attempts: 1, dueAt: 100 + hour, deferredSince: 100))
        life.attempts = 2
        let error = fail(&life, .deferred(until: 10 * hour, "lock", "held"), at: 100 + hour)
        #expect(life.state == .dead)
        #expect(life.dueAt == nil)
        #expect(error.kind == .permanent)
        #expect(
            error.description
                == "delivery.deferred-too-long: it waited 3600 s, as long as it may; at last for lock: held"
        )
    }

    @Test("is put off for ever where waiting has no end")
    func endless() {
        var life = DeliveryLife(state: .scheduled, attempts: 1, deferredSince: 0)
        _ = fail(&life, .deferred(until: 1000 * hour, "broker.away", ""), at: 999 * hour, limit: nil)
        #expect(life == DeliveryLife(state: .scheduled, attempts: 0, dueAt: 1000 * hour, deferredSince: 0))
    }

    @Test("is sent back by an operator from dead alone: a generation more, with all attempts and all time")
    func retry() throws {
        var life = DeliveryLife(state: .dead, generation: 2, attempts: 3, deferredSince: 5)
        try life.retry(now: 77)
        #expect(life == DeliveryLife(state: .scheduled, generation: 3, attempts: 0, dueAt: 77))
        life.hold()
        #expect(life == DeliveryLife(state: .held, generation: 3, attempts: 0))
    }

    @Test("is discarded from dead and restored from discarded, and by no other way")
    func transitions() throws {
        var life = DeliveryLife(state: .dead, attempts: 3)
        try life.discard()
        #expect(life.state == .discarded)
        try life.restore()
        #expect(life == DeliveryLife(state: .dead, attempts: 3))
        for state in DeliveryState.allCases {
            let life = DeliveryLife(state: state)
            if state != .dead {
                #expect(throws: DeliveryLife.WrongState(state: state)) {
                    var copy = life
                    try copy.retry(now: 0)
                }
                #expect(throws: DeliveryLife.WrongState(state: state)) {
                    var copy = life
                    try copy.discard()
                }
            }
            if state != .discarded {
                #expect(throws: DeliveryLife.WrongState(state: state)) {
                    var copy = life
                    try copy.restore()
                }
            }
            var held = life
            held.hold()
            #expect(held.state == (state == .scheduled ? .held : state))
        }
    }
}

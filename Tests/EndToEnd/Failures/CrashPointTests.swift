import Foundation
import JSON
import TestSupport
import Testing

extension EndToEnd {
    /// `Tests/run crash` builds the services with the points and runs this.
    @Suite("CrashPoints", .enabled(if: CrashPlan.isPossible, "the services have no crash points: see Tests/run crash"))
    struct CrashPoints {
        @Test("kill -9 there, and again in the recovery, loses, repeats and forgets nothing", arguments: CrashPlan.all)
        fileprivate func kill(_ plan: CrashPlan) async throws {
            let folder = try TemporaryFolder("crash")
            let log = folder.file("ends")
            var options = Shop.Options()
            options.environment[plan.program] = [
                "WARREN_CRASH_AT": "\(plan.point):\(plan.round)", "WARREN_CRASH_LOG": log.path,
            ]
            try await Shop.open(options) { shop in
                let keeper = Task {
                    while !Task.isCancelled {
                        _ = try? await shop.process(plan.program).waitForEnd(within: .seconds(600))
                        if !Task.isCancelled { try shop.start(plan.program) }
                    }
                }
                defer { keeper.cancel() }
                func ends() -> Int { ((try? Data(contentsOf: log))?.count ?? 0) / 2 }
                var orders: [String] = []
                while orders.count < 3 || (ends() < 2 && orders.count < 40) {
                    // After the first ones one by one, so that each passes the points by itself.
                    if orders.count > 3, let last = orders.last {
                        try await eventually("order \(last) is confirmed", within: .seconds(90)) {
                            (try? await shop.order(last))?["status"].text == "confirmed"
                        }
                    }
                    let key = TestEnvironment.uniqueName("key")
                    orders.append(
                        try await eventually("the order is taken", within: .seconds(60)) {
                            let reply = try? await shop.probe(.order)
                                .post("/orders", Shop.order(), headers: ["Idempotency-Key": key])
                            return reply?.status == 202 ? try reply?.json["id"].text : nil
                        }
                    )
                }
                for id in orders {
                    try await eventually("order \(id) is confirmed", within: .seconds(90)) {
                        (try? await shop.order(id))?["status"].text == "confirmed"
                    }
                    #expect(try await shop.charges(of: id) == 1)
                    try await shop.waitForMail("confirmed", about: id, within: .seconds(60))
                }
                #expect(ends() == 2, "\(plan) was passed too seldom to say anything")
                #expect(Set(orders).count == orders.count)
                let stored = try await shop.query(.order, "SELECT count(*) FROM orders")
                #expect(stored == [.array([.integer(Int64(orders.count))])])
                try await eventually("nothing waits", within: .seconds(60)) {
                    for program in [Shop.Program.order, .payment, .notification] {
                        guard try await shop.deliveries(program, "dead", "held", "scheduled").isEmpty else {
                            return false
                        }
                    }
                    return true
                }
            }
        }

        @Test(
            "kill -9 in a slice of an operation on many dead letters, and again, does none twice",
            arguments: operations
        )
        func operation(_ point: String) async throws {
            let folder = try TemporaryFolder("crash")
            let log = folder.file("ends")
            var options = Shop.Options()
            options.environment[.notification] = [
                "WARREN_CRASH_AT": "\(point):2", "WARREN_CRASH_LOG": log.path,
            ]
            try await Shop.open(options) { shop in
                let keeper = Task {
                    while !Task.isCancelled {
                        _ = try? await shop.process(.notification).waitForEnd(within: .seconds(600))
                        if !Task.isCancelled { try shop.start(.notification) }
                    }
                }
                defer { keeper.cancel() }
                let count = 500
                try await shop.bury(count)
                _ = try await shop.warren(
                    "dlq",
                    "discard",
                    "--all",
                    "--service",
                    "notification",
                    "--yes",
                    "--detach",
                    "--reason",
                    "a test"
                )
                try await eventually("it is done", within: .seconds(90)) {
                    let reply = try? await shop.operations(.notification).get("/dead-letter-operations/1")
                    return try reply?.json["state"].text == "done"
                }
                #expect(((try? Data(contentsOf: log))?.count ?? 0) / 2 == 2)
                try await shop.expectDiscardedOnce(count)
            }
        }

        private static let operations = CrashPlan.wanted(["operation.in-transaction", "operation.committed"])
    }
}

/// Where which service is ended.
private struct CrashPlan: Sendable, CustomTestStringConvertible {
    var program: Shop.Program
    var point: String
    /// The first end comes at this pass of the point.
    var round: Int

    var testDescription: String { "\(program.rawValue) at \(point), pass \(round)" }

    private static let publishing = [
        "forwarder.before-publish", "forwarder.published", "forwarder.outcome", "forwarder.offset",
        "forwarder.offset-stored",
    ]
    private static let consuming = [
        "inbox.received", "delivery.in-transaction", "delivery.committed", "inbox.before-ack", "inbox.acknowledged",
    ]

    private static var environment: [String: String] { ProcessInfo.processInfo.environment }

    static var isPossible: Bool { environment["WARREN_TEST_CRASH_BIN"]?.isEmpty == false }

    /// Those of the points that were asked for; all where none was.
    static func wanted(_ points: [String]) -> [String] {
        let wanted = Set((environment["WARREN_TEST_CRASH_POINTS"] ?? "").split(separator: " ").map(String.init))
        return points.filter { wanted.isEmpty || wanted.contains($0) }
    }

    static var all: [CrashPlan] {
        let rounds = environment["WARREN_TEST_CRASH_ROUNDS"].flatMap { Int($0) } ?? 1
        let points: [(Shop.Program, [String])] = [
            (.order, ["store.in-transaction", "store.committed"] + publishing + consuming),
            (.payment, publishing + consuming),
            (.notification, consuming),
        ]
        return points.flatMap { program, points in
            wanted(points).flatMap { point in
                (1...max(1, rounds)).map { CrashPlan(program: program, point: point, round: $0) }
            }
        }
    }
}

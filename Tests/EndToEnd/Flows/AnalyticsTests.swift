import Foundation
import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Analytics")
    struct Analytics {
        @Test(
            "that starts late misses nothing, and started again from 0 tells nothing that the platform cannot tell apart"
        )
        func late() async throws {
            try await Shop.open { shop in
                let ids = [try await shop.place(), try await shop.place()]
                for id in ids { try await shop.waitFor("confirmed", order: id) }
                try await shop.cancel(ids[0])
                try await shop.waitForPayment("refunded", order: ids[0])
                try shop.start(.analytics)
                try await shop.waitUntilReady(.analytics)
                let expected = [
                    "cancelled \(ids[0])", "confirmed \(ids[0])", "confirmed \(ids[1])", "refunded \(ids[0])",
                ].sorted()
                try await shop.waitForRecords(expected)

                // From 0 once more: its database is gone, and with it its offset.
                try await shop.kill(.analytics)
                for end in ["", "-wal", "-shm"] {
                    try? FileManager.default.removeItem(atPath: shop.database(.analytics).path + end)
                }
                try await shop.restart(.analytics)
                _ = try await eventually("each record came twice") {
                    try await shop.records().allSatisfy { $0.puts == 2 } ? true : nil
                }
                try await shop.waitForRecords(expected)
                // It has no queue.
                _ = try await shop.management.depth(of: "order", in: shop.virtualHost)
                await #expect(throws: (any Error).self) {
                    try await shop.management.depth(of: "analytics", in: shop.virtualHost)
                }
            }
        }

        @Test(
            "outlives a platform that fails in every way, is killed with a record under way, and leaves no dead letters"
        )
        func faults() async throws {
            try await Shop.open { shop in
                try shop.start(.analytics)
                try await shop.waitUntilReady(.analytics)
                for kind in ["error", "error-after", "timeout", "reset", "unavailable", "rate-limit"] {
                    let reply = try await shop.probe(.sandbox).post(
                        "/sandbox/faults",
                        ["operation": "record", "kind": .string(kind), "count": 2]
                    )
                    #expect(reply.status == 204)
                }
                var ids: [String] = []
                for _ in 1...12 { ids.append(try await shop.place()) }
                for id in ids { try await shop.waitFor("confirmed", order: id) }
                try await shop.kill(.analytics)
                try await shop.restart(.analytics)
                try await shop.waitForRecords(ids.map { "confirmed \($0)" }.sorted())
                let dead = try await shop.operations(.analytics).get("/dead-letters?state=dead")
                #expect(try dead.json["items"].elements.isEmpty)
            }
        }

        @Test("is done the same by the Python script beside it, which goes on where it was killed")
        func script() async throws {
            try await Shop.open { shop in
                let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                    .appendingPathComponent("../../../Services/Analytics/follow_orders.py").standardizedFileURL
                func start() throws -> ChildProcess {
                    try ChildProcess(
                        URL(fileURLWithPath: "/usr/bin/env"),
                        arguments: ["python3", script.path, "position.txt"],
                        environment: [
                            "ORDER_URL": "http://127.0.0.1:\(shop.operations(.order).port)",
                            "PLATFORM_URL": "http://127.0.0.1:\(shop.probe(.sandbox).port)",
                        ],
                        folder: shop.folder.url
                    )
                }
                let first = try await shop.place()
                try await shop.waitFor("confirmed", order: first)
                var follower = try start()
                try await shop.waitForRecords(["confirmed \(first)"])
                try await follower.kill()
                try await shop.cancel(first)
                try await shop.waitForPayment("refunded", order: first)
                let second = try await shop.place()
                try await shop.waitFor("confirmed", order: second)
                follower = try start()
                try await shop.waitForRecords(
                    ["cancelled \(first)", "confirmed \(first)", "confirmed \(second)", "refunded \(first)"].sorted()
                )
                try await follower.kill()
            }
        }
    }
}

extension Shop {
    fileprivate struct Record {
        var text: String
        var puts: Int
    }

    /// What the data platform has: the moment and the order.
    fileprivate func records() async throws -> [Record] {
        try await probe(.sandbox).get("/sandbox/records").json["records"].elements.map { stored in
            let record = stored["record"]
            let moment = record["type"].text?.split(separator: ".").last ?? ""
            return Record(
                text: "\(moment) \(record["orderID"].text ?? "")",
                puts: stored["puts"].integer.map(Int.init) ?? 0
            )
        }
    }

    fileprivate func waitForRecords(_ expected: [String]) async throws {
        _ = try await eventually("the platform has \(expected.count) records", within: .seconds(90)) {
            try await self.records().count >= expected.count ? true : nil
        }
        #expect(try await records().map(\.text).sorted() == expected)
    }
}

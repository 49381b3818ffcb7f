import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("While the broker is away")
    struct BrokerOutage {
        @Test("the services stay up and say what is missing, take orders, and lose nothing", arguments: [false, true])
        func outage(killed: Bool) async throws {
            try await PrivateBroker.with { broker in
                try await Shop.open(Shop.Options(broker: broker)) { shop in
                    try await broker.settle()
                    let before = try await shop.place()
                    if killed { try await broker.kill() } else { try await broker.stop() }

                    for program in [Shop.Program.order, .payment, .notification] {
                        let reply = try await eventually("\(program.rawValue) notices") {
                            let reply = try await shop.probe(program).get("/readyz")
                            return reply.status == 503 ? reply : nil
                        }
                        #expect(reply.text.contains("broker"), "\(reply.text)")
                        #expect(try await shop.probe(program).get("/livez").status == 200)
                    }
                    let during = try await shop.place()
                    #expect(try await shop.order(during)["status"] == "placed")

                    try await broker.start()
                    for program in Shop.Program.usual { try await shop.waitUntilReady(program) }
                    let after = try await shop.place()
                    for id in [before, during, after] {
                        try await shop.waitFor("confirmed", order: id, within: .seconds(120))
                        try await shop.waitForMail("confirmed", about: id)
                        #expect(try await shop.charges(of: id) == 1)
                    }
                    try await shop.expectNothingWaits()
                }
            }
        }

        @Test("from the start, a service comes up not ready and becomes ready when the broker does")
        func absentAtStart() async throws {
            try await PrivateBroker.with { broker in
                try await Shop.open(Shop.Options(broker: broker)) { shop in
                    try await shop.process(.order).terminate()
                    try await broker.stop()
                    try shop.start(.order)
                    try await eventually("Order serves") { try await shop.probe(.order).get("/livez").status == 200 }
                    #expect(try await shop.probe(.order).get("/readyz").status == 503)
                    let id = try await shop.place()
                    try await broker.start()
                    try await shop.waitFor("confirmed", order: id, within: .seconds(120))
                }
            }
        }
    }
}

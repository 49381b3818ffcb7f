import Foundation
import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Logs")
    struct Privacy {
        @Test("at their most talkative hold no personal data and no secrets, on good days and on bad ones")
        func logs() async throws {
            let secrets = try TemporaryFolder("secrets")
            let key = "sk_test_4f1c88"
            let token = "operators-9b27e1-4f1c"
            try Data("\(key)\n".utf8).write(to: secrets.file("provider-key"))
            try Data("ada act \(token)\n".utf8).write(to: secrets.file("token"))
            var options = Shop.Options()
            for program in Shop.Program.allCases { options.environment[program] = ["WARREN_LOG_LEVEL": "trace"] }
            options.environment[.sandbox]?["SANDBOX_KEY_FILE"] = secrets.file("provider-key").path
            options.environment[.payment]?["PAYMENT_PROVIDER_KEY_FILE"] = secrets.file("provider-key").path
            options.environment[.order]?["WARREN_OPERATIONS_TOKENS_FILE"] = secrets.file("token").path
            options.environment[.notification]?["WARREN_RETRY_ATTEMPTS"] = "2"

            try await Shop.open(options) { shop in
                func place(_ method: String) async throws -> String {
                    var order = Shop.order(paying: method, email: "zoe.quiet@example.org")
                    order["customer"]["name"] = "Zoë Quiet"
                    return try #require(try await shop.probe(.order).post("/orders", order).json["id"].text)
                }
                let good = try await place("pm_card_visa")
                try await shop.waitForMail("confirmed", about: good)
                try await shop.cancel(good)
                try await shop.waitForMail("refunded", about: good)
                let lost = try await place("pm_sandbox_timeout_once")
                try await shop.waitForMail("confirmed", about: lost)

                try await shop.mail.refuse(with: 451)
                let declined = try await place("pm_card_chargeDeclined")
                try await eventually("its mail is dead") {
                    try await !shop.deliveries(.notification, "dead", query: "&subject=\(declined)").isEmpty
                }
                var bad = Shop.confirmation(of: "bad")
                bad["data"]["customer"] = ["email": "zoe.quiet@example.org", "name": 5]
                try await shop.publish(bad)
                try await eventually("what cannot be read is dead") {
                    try await !shop.deliveries(.notification, "dead", query: "&subject=bad").isEmpty
                }
                _ = try await shop.probe(.order).post(
                    "/orders",
                    ["customer": ["email": "zoe.quiet@", "name": "Zoë Quiet"]]
                )

                // The token of the file is the one that counts.
                let letters = "/dead-letters"
                #expect(try await shop.operations(.order).get(letters).status == 401)
                let allowed = try await shop.operations(.order).send(
                    "GET",
                    letters,
                    headers: ["Authorization": "Bearer \(token)"]
                )
                #expect(allowed.status == 200)

                for program in Shop.Program.usual {
                    let log = try shop.process(program).standardError
                    #expect(log.contains("ready"), "\(program.rawValue) has a log")
                    for word in [
                        "zoe.quiet", "example.org", "Zoë", "Quiet", "pm_card", "pm_sandbox", key, token, "guest:guest",
                    ] {
                        let line = log.split(separator: "\n").first { $0.contains(word) }
                        #expect(line == nil, "\(program.rawValue) logs \(word)")
                    }
                }
            }
        }
    }
}

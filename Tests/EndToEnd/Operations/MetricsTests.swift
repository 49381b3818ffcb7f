import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("The metrics of a service")
    struct Metrics {
        @Test("tell what it has done and what waits, in the form that Prometheus reads")
        func afterAnOrder() async throws {
            try await Shop.open { shop in
                let id = try await shop.place()
                try await shop.waitFor("confirmed", order: id)
                try await shop.waitForMail("confirmed", about: id)
                try await shop.publish(Shop.envelope("dev.warren.order.cancelled", subject: "poison", data: [:]))
                try await eventually("the poison is dead") {
                    try await !shop.deliveries(.payment, "dead").isEmpty
                }

                // What has happened is counted after it can be seen.
                let payment = try await eventually("Payment has counted it all") {
                    let figures = try await Figures(shop.operations(.payment).get("/metrics").text)
                    let counted = [
                        figures["messaging_client_published_messages_total"],
                        figures["warren_processed_deliveries_total"], figures["warren_dead_lettered_deliveries_total"],
                    ]
                    return counted == [1, 1, 1] && figures["warren_unforwarded_events"] == 0 ? figures : nil
                }
                #expect(payment["messaging_client_consumed_messages_total"] == 2)
                #expect(payment["warren_dead_letters", #"type="dev.warren.order.cancelled""#] == 1)
                #expect(payment["warren_dead_letters", #"type="dev.warren.order.payment-requested""#] == 0)
                #expect(payment["warren_oldest_unforwarded_age_seconds"] == 0)
                #expect(payment["warren_scheduled_deliveries"] == 0)
                #expect(payment["warren_held_deliveries"] == 0)
                #expect(try #require(payment["warren_database_wal_bytes"]) > 0)
                #expect(try #require(payment["warren_database_commits_total"]) > 0)
                #expect(try #require(payment["process_resident_memory_bytes"]) > 1_000_000)
                let handled = #"type="dev.warren.order.payment-requested""#
                #expect(payment["messaging_process_duration_seconds_count", handled] == 1)

                let order = try await Figures(shop.operations(.order).get("/metrics").text)
                #expect(order["http_server_requests_total", #"http_route="/orders""#] == 1)
                #expect(order["http_server_request_duration_seconds_count", #"http_route="/orders""#] == 1)
            }
        }

        /// The values of a text in Prometheus' form, whose form it checks.
        private struct Figures {
            private var values: [(name: String, labels: String, value: Double)] = []

            init(_ text: String) throws {
                #expect(text.hasSuffix("\n"))
                var types: Set<Substring> = []
                for line in text.split(separator: "\n") {
                    if line.hasPrefix("# TYPE ") {
                        let family = line.split(separator: " ")[2]
                        #expect(types.insert(family).inserted, "\(family) has one type")
                    }
                    guard !line.hasPrefix("#") else { continue }
                    let parts = try #require(line.wholeMatch(of: /([a-z_]+)(\{.*\})? ([-+.eE0-9]+|NaN)/), "\(line)")
                    let value = try #require(Double(parts.3))
                    values.append((String(parts.1), parts.2.map(String.init) ?? "", value))
                }
            }

            subscript(name: String, label: String = "") -> Double? {
                let matching = values.filter { $0.name == name && (label.isEmpty || $0.labels.contains(label)) }
                return matching.isEmpty ? nil : matching.reduce(0) { $0 + $1.value }
            }
        }
    }
}

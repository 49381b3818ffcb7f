import Foundation
import JSON
import TestSupport
import Testing

extension EndToEnd {
    /// Callers by routes by addresses by what proxies add, with and without tokens, over real HTTP.
    @Suite("The doors of the services")
    struct Doors {
        private struct Service {
            let program: Shop.Program
            let hasTokens: Bool
            let publicPort: UInt16
            let operationsPort: UInt16
            let order: String
            /// The documents that the two addresses serve; Notification's public one has none.
            let publicDocument: JSONValue?
            let operationsDocument: JSONValue
            /// The types of problems that have a page.
            let problems: Set<String>

            var routes: [String: DoorRules.Route] {
                DoorRules.common.merging(DoorRules.own(program)) { $1 }
            }
        }

        /// Runs one service without a broker, with one order in it where it is Order.
        private func withService(
            _ program: Shop.Program,
            hasTokens: Bool,
            _ body: (Service) async throws -> Void
        ) async throws {
            let folder = try TemporaryFolder("doors")
            let (publicPort, operationsPort) = (try FreePort.next(), try FreePort.next())
            var environment = [
                "WARREN_HTTP_ADDRESS": "127.0.0.1:\(publicPort)",
                "WARREN_OPERATIONS_ADDRESS": "127.0.0.1:\(operationsPort)",
                "WARREN_AMQP_URL": "amqp://guest:guest@127.0.0.1:1/", "WARREN_LOG_LEVEL": "error",
                "WARREN_DATABASE_URL": "sqlite:\(folder.file("doors.db").path)",
            ]
            if hasTokens {
                for (name, text) in [
                    ("WARREN_OPERATIONS_TOKENS_FILE", "ro read \(DoorRules.reader)\nada act \(DoorRules.actor)\n"),
                    ("WARREN_API_TOKENS_FILE", "shop \(DoorRules.shop)\n"), ("WARREN_JWT_KEY_FILE", DoorRules.key),
                ] {
                    try text.write(to: folder.file(name), atomically: true, encoding: .utf8)
                    environment[name] = folder.file(name).path
                }
                environment["WARREN_JWT_ALGORITHM"] = "HS256"
            }
            let child = try ChildProcess(
                try TestEnvironment.program(program.rawValue),
                environment: environment,
                folder: folder.url
            )
            let probe = HTTPProbe(
                port: publicPort,
                headers: hasTokens ? ["Authorization": "Bearer \(DoorRules.ada)"] : [:]
            )
            let operations = HTTPProbe(port: operationsPort)
            // Until then every path is answered by 503, on both addresses.
            try await eventually("\(program) is wired") {
                let answers = [try await operations.get("/openapi.yaml"), try await probe.get("/openapi.yaml")]
                return answers.allSatisfy { $0.status != 503 }
            }
            var order = "0198c0de-0000-7000-8000-000000000001"
            if program == .order {
                let placed = try await probe.post("/orders", Self.draft)
                order = try #require(try placed.json["id"]?.text, "\(placed.text)")
                #expect(try await probe.post("/orders/\(order)/cancel").status == 202)
            }
            if program == .inventory {
                // The one that the table asks for was cancelled before it was made.
                let back = HTTPProbe(
                    port: publicPort,
                    headers: hasTokens ? ["Authorization": "Bearer \(DoorRules.shop)"] : [:]
                )
                #expect(try await back.send("DELETE", "/reservations/1").status == 200)
            }
            let document = try await probe.get("/openapi.yaml")
            let pages = try await operations.get("/problems").text.split(separator: "\n")
            try await body(
                Service(
                    program: program,
                    hasTokens: hasTokens,
                    publicPort: publicPort,
                    operationsPort: operationsPort,
                    order: order,
                    publicDocument: try YAML.parse(document.text),
                    operationsDocument: try YAML.parse(try await operations.get("/openapi.yaml").text),
                    problems: Set(pages.compactMap { $0.split(separator: " ").dropFirst().first.map(String.init) })
                )
            )
            #expect(try await child.terminate() == .exit(0))
        }

        private static let draft: JSONValue = [
            "customer": ["email": "ada@example.com", "name": "Ada"], "currency": "EUR", "paymentMethod": "pm_card_visa",
            "lines": [["sku": "TEA-500", "quantity": 1, "unitPrice": 650]],
        ]

        private static func operations(of document: JSONValue?) -> Set<String> {
            var names: Set<String> = []
            for (path, item) in document?["paths"]?.object ?? [:] {
                for method in (item.object ?? [:]).keys { names.insert("\(method.uppercased()) \(path)") }
            }
            return names
        }

        @Test(
            "open for whom the table says, on both addresses, and for nobody because of what a proxy says",
            arguments: [
                Shop.Program.order, .payment, .notification, .inventory, .coupon, .points, .shipping, .analytics,
            ],
            [false, true]
        )
        func matrix(program: Shop.Program, hasTokens: Bool) async throws {
            try await withService(program, hasTokens: hasTokens) { service in
                #expect(Self.operations(of: service.operationsDocument) == Set(DoorRules.common.keys))
                #expect(Self.operations(of: service.publicDocument) == DoorRules.documented(program))
                var count = 0
                var findings: [String] = []
                let names = service.routes.keys.sorted()
                for isPublic in [true, false] {
                    for caller in DoorRules.callers {
                        // All of it with Order; of the others each caller, directly and through the worst proxy.
                        let proxies = DoorRules.proxies
                        for proxy in program == .order ? proxies : [proxies[0], proxies[proxies.count - 1]] {
                            let port = isPublic ? service.publicPort : service.operationsPort
                            let replies = try await HTTPConversation(port: port).send(
                                names.map { Self.request($0, caller, proxy, service, port) }
                            )
                            for (name, reply) in zip(names, replies) {
                                let route = Self.route(name, isPublic: isPublic, service)
                                let faults = Self.faults(
                                    of: reply,
                                    name,
                                    route,
                                    expected: DoorRules.status(
                                        of: name,
                                        route,
                                        for: caller,
                                        hasTokens: hasTokens,
                                        isProxied: !proxy.isEmpty
                                    ),
                                    service
                                )
                                let place = isPublic ? "public" : "operations"
                                let through = proxy.map(\.name).joined(separator: ", ")
                                findings += faults.map { "\(name) (\(place)) by \(caller.name) [\(through)]: \($0)" }
                                count += 1
                            }
                        }
                    }
                }
                let list = findings.prefix(20).joined(separator: "\n")
                #expect(findings.isEmpty, "\(findings.count) of \(count):\n\(list)")
                #expect(count >= (program == .order ? 6_000 : 1_400))
            }
        }

        private static func route(_ name: String, isPublic: Bool, _ service: Service) -> DoorRules.Route? {
            guard let route = service.routes[name] else { return nil }
            switch route.place {
            case .both: return route
            case .publicAddress: return isPublic ? route : nil
            case .operationsAddress: return isPublic ? nil : route
            }
        }

        private static func request(
            _ name: String,
            _ caller: DoorRules.Caller,
            _ proxy: [(name: String, value: String)],
            _ service: Service,
            _ port: UInt16
        ) -> HTTPConversation.Request {
            let parts = name.split(separator: " ")
            let path = parts[1].replacing("/orders/{id}", with: "/orders/\(service.order)")
                .replacing("{orderID}", with: service.order).replacing("{id}", with: "1")
                .replacing("{name}", with: "none")
                .replacing("{day}", with: "1").replacing("{slug}", with: "invalid-request").replacing(
                    "{sku}",
                    with: "1"
                ).replacing(
                    "{customer}",
                    with: "1"
                )
            let host = caller.host ?? "127.0.0.1:\(port)"
            let isPost = parts[0] == "POST" || (parts[0] == "PUT" && name != "PUT /reservations/{id}")
            let type = isPost ? [(name: "Content-Type", value: "application/json")] : []
            return HTTPConversation.Request(
                String(parts[0]),
                String(path),
                headers: [(name: "Host", value: host)] + caller.headers + proxy + type,
                body: isPost ? Array("{}".utf8) : []
            )
        }

        /// What is wrong with an answer.
        private static func faults(
            of reply: HTTPProbe.Reply,
            _ name: String,
            _ route: DoorRules.Route?,
            expected: Int,
            _ service: Service
        ) -> [String] {
            var faults: [String] = []
            if reply.status != expected {
                faults.append("\(reply.status) and not \(expected): \(reply.text.prefix(200))")
            }
            if reply.headers["x-content-type-options"] != "nosniff" { faults.append("no nosniff") }
            if reply.headers["cache-control"] != "no-store" { faults.append("it may be stored") }
            if reply.headers.keys.contains(where: { $0.hasPrefix("access-control-") }) { faults.append("CORS is open") }
            if (reply.status == 401) != (reply.headers["www-authenticate"] != nil) { faults.append("WWW-Authenticate") }
            if reply.headers["content-type"] == "application/problem+json" {
                let problem = try? reply.json
                let type = problem?["type"]?.text ?? ""
                if !service.problems.contains(type) { faults.append("\(type) has no page") }
                if problem?["status"]?.integer != Int64(reply.status) { faults.append("another status in the body") }
            } else if reply.status >= 400, name != "GET /readyz" {
                faults.append("no problem but \(reply.text.prefix(100))")
            }
            if route != nil,
                let document = DoorRules.common[name] == nil ? service.publicDocument : service.operationsDocument
            {
                let parts = name.split(separator: " ")
                let item = document["paths"]?[String(parts[1])]
                let responses = item?[parts[0].lowercased()]?["responses"]
                let anywhere = document["components", "schemas", "ServerProblem"]?["properties", "status", "enum"]
                    .elements
                if responses?[String(reply.status)] == nil, anywhere?.contains(.integer(Int64(reply.status))) != true {
                    faults.append("\(reply.status) is not documented")
                }
            }
            return faults
        }
    }
}

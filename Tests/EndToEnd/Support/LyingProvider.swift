import HTTP
import Synchronization
import Telemetry

/// A payment provider that lies, by what its payment methods are called, or is not the provider at all.
///
/// What it says is right in everything but the one lie, so that nothing else gives it away.
final class LyingProvider: Sendable {
    /// What each makes of an answer to a charge of 25.00 EUR.
    static let lies: [(method: String, from: String, to: String)] = [
        ("pm_emptyid", #""id":"pi_1""#, #""id":"""#), ("pm_otherid", #""id":"pi_1""#, #""id":"re_1""#),
        ("pm_otheramount", #""amount":2500"#, #""amount":1"#), ("pm_text", #""amount":2500"#, #""amount":"2500""#),
        ("pm_partial", #"received":2500"#, #"received":1"#),
        ("pm_absurd", #"received":2500"#, #"received":9223372036854775807"#), ("pm_negative", ":2500", ":-2500"),
        ("pm_othercurrency", #""eur""#, #""usd""#), ("pm_otherorder", #""order_id":""#, #""order_id":"not-"#),
        ("pm_noorder", #""metadata""#, #""meta""#), ("pm_otherobject", #""payment_intent""#, #""charge""#),
        ("pm_otherstatus", #""succeeded""#, #""paid""#),
    ]
    /// Answers that are none of the provider's, each given twice before the charge goes through.
    static let strangers = ["pm_html404", "pm_html403", "pm_redirect", "pm_json404", "pm_half"]
    /// A charge that goes through, and a refund that is of almost nothing.
    static let refundsLess = "pm_refundsless"

    private let asked = Mutex<[String: Int]>([:])

    /// How often an order was to be charged.
    func charges(of order: String) -> Int { asked.withLock { $0[order] ?? 0 } }

    /// Serves for as long as `body` runs.
    func serve(_ body: (_ url: String) async throws -> Void) async throws {
        var router = Router()
        router.on("POST", "/v1/payment_intents") { [self] in charge($0) }
        router.on("GET", "/v1/payment_intents/search") { _ in
            Self.json(#"{"object":"search_result","has_more":false,"data":[]}"#)
        }
        let refund =
            #"{"id":"re_1","object":"refund","amount":1,"currency":"eur","status":"succeeded","payment_intent":"pi_1"}"#
        router.on("POST", "/v1/refunds") { _ in Self.json(refund) }
        router.on("GET", "/v1/refunds") { _ in Self.json(#"{"object":"list","has_more":false,"data":[\#(refund)]}"#) }
        let server = try HTTPServer(address: "127.0.0.1:0", router: router, logger: .silent)
        let running = Task { try await server.run(grace: .milliseconds(100)) }
        do {
            try await body("http://127.0.0.1:\(try await server.port())")
        } catch {
            running.cancel()
            try await running.value
            throw error
        }
        running.cancel()
        try await running.value
    }

    private func charge(_ request: HTTPRequest) -> HTTPResponse {
        let items = FormURLEncoded.decode(request.body) ?? []
        let form = Dictionary(items.map { ($0.name, $0.value) }) { _, last in last }
        let (order, method) = (form["metadata[order_id]"] ?? "", form["payment_method"] ?? "")
        let count = asked.withLock { asked in
            asked[order, default: 0] += 1
            return asked[order] ?? 0
        }
        let amount = form["amount"] ?? ""
        let body =
            #"{"id":"pi_1","object":"payment_intent","amount":\#(amount),"amount_received":\#(amount),"#
            + #""currency":"\#(form["currency"] ?? "")","status":"succeeded","metadata":{"order_id":"\#(order)"}}"#
        if let lie = Self.lies.first(where: { $0.method == method }) {
            return Self.json(body.replacing(lie.from, with: lie.to))
        }
        guard count <= 2 else { return Self.json(body) }
        let html = "<html>no such backend</html>"
        switch method {
        case "pm_html404":
            return HTTPResponse(status: 404, headers: ["Content-Type": "text/html"], body: Array(html.utf8))
        case "pm_html403":
            return HTTPResponse(status: 403, headers: ["Content-Type": "text/html"], body: Array(html.utf8))
        case "pm_redirect": return HTTPResponse(status: 302, headers: ["Location": "/elsewhere"])
        case "pm_json404": return Self.json(#"{"error":{"type":"not_found","message":"no route"}}"#, status: 404)
        case "pm_half": return Self.json(String(body.prefix(body.count / 2)))
        default: return Self.json(body)
        }
    }

    private static func json(_ text: String, status: Int = 200) -> HTTPResponse {
        HTTPResponse(status: status, headers: ["Content-Type": "application/json"], body: Array(text.utf8))
    }
}

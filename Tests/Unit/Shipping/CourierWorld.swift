import HTTP
import JSON
import ServiceTestSupport
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Sandbox

/// The sandbox's courier behind its real routes on loopback, and somebody who takes its webhooks.
struct CourierWorld: Sendable {
    static let key = "sk_courier"
    static let secret = "whsec_courier"
    /// The body of a booking of the first address.
    static let booking = body(of: address, version: 1)
    static let address = #"{"name":"Ada","lines":["1 Square"],"postalCode":"W1","city":"London","country":"GB"}"#

    /// Where the courier is.
    let url: String
    let courier: Sandbox.Courier
    let hooks: WebhookReceiver
    let client: HTTPClient

    static func body(of address: String, version: Int) -> String {
        #"{"address":\#(address),"version":\#(version)}"#
    }

    /// Serves the courier while `body` runs.
    ///
    /// - Parameter delay: how long after its booking a parcel leaves, and after that arrives, in milliseconds.
    static func open(delay: Int64 = 3_600_000, _ body: (CourierWorld) async throws -> Void) async throws {
        let hooks = WebhookReceiver()
        try await withServer(hooks.router) { hookURL in
            try await open(delay: delay, webhooks: hookURL + WebhookReceiver.path, takenBy: hooks, body)
        }
    }

    /// Serves the courier, whose webhooks go to a URL that is somebody else's.
    static func open(
        delay: Int64 = 3_600_000,
        webhooks webhookURL: String,
        takenBy hooks: WebhookReceiver = WebhookReceiver(),
        _ body: (CourierWorld) async throws -> Void
    ) async throws {
        let client = HTTPClient()
        defer { client.close() }
        let signature = try #require(WebhookSignature(secret: secret))
        let post = CourierPost(url: webhookURL, signature: signature, client: client, logger: .silent)
        let courier = Sandbox.Courier(delay: delay, post: post)
        var router = Router()
        CourierAPI(courier: courier, key: key).register { router.on($0, $1, $2) }
        CourierControl(courier: courier).register { router.on($0, $1, $2) }
        ControlAPI(provider: Provider(logger: .silent), platform: DataPlatform(), courier: courier)
            .register { router.on($0, $1, $2) }
        try await withServer(router) { url in
            let running = Task { await courier.run() }
            defer { running.cancel() }
            try await body(CourierWorld(url: url, courier: courier, hooks: hooks, client: client))
        }
    }

    /// Asks the courier as a client would.
    func ask(
        _ method: String,
        _ id: String = "o-1",
        _ body: String = "",
        key: String? = CourierWorld.key,
        timeout: Duration = .seconds(60)
    ) async throws -> HTTPClient.Response {
        var request = HTTPClient.Request(method, "\(url)/courier/v1/shipments/\(id)")
        request.headers["Authorization"] = key.map { "Bearer \($0)" }
        if !body.isEmpty { request.headers["Content-Type"] = "application/json" }
        request.body = Array(body.utf8)
        request.timeout = timeout
        return try await client.send(request)
    }

    /// Books the first address.
    @discardableResult
    func book(_ id: String = "o-1", version: Int = 1) async throws -> HTTPClient.Response {
        try await ask("PUT", id, Self.body(of: Self.address, version: version))
    }

    /// Asks the control API.
    @discardableResult
    func control(_ method: String, _ path: String, _ body: String = "") async throws -> HTTPClient.Response {
        var request = HTTPClient.Request(method, "\(url)/sandbox/\(path)")
        if !body.isEmpty { request.headers["Content-Type"] = "application/json" }
        request.body = Array(body.utf8)
        return try await client.send(request)
    }

    /// Plans bad days.
    func plan(_ kind: CourierFault.Kind, for call: CourierFault.Call, count: Int = 1, delay: Int = 300) async throws {
        let fault = """
            {"call":"\(call.rawValue)","kind":"\(kind.rawValue)","count":\(count),"delayMilliseconds":\(delay)}
            """
        let answer = try await control("POST", "courier/faults", fault)
        #expect(answer.status == 204, "\(answer.text)")
    }

    /// Lets the parcel leave, or arrive where it has left.
    func move(_ id: String = "o-1") async throws {
        #expect(try await control("POST", "courier/shipments/\(id)/move").status == 204)
    }

    /// What the courier has done, as `address-taken 1`.
    func effects(_ id: String = "o-1") async throws -> [String] {
        let all = try await control("GET", "courier/effects").json["effects"].elements
        return all.filter { $0["shipment"].text == id }.compactMap { effect in
            effect["kind"].text.map { "\($0) \(effect["version"].integer ?? -1)" }
        }
    }
}

/// Takes the courier's webhooks as Shipping would: by their signature.
final class WebhookReceiver: Sendable {
    static let path = "/hook"

    /// One that came.
    struct Message: Sendable, Equatable {
        let id: String
        let type: String
        let shipment: String
        let version: Int64
        let trackingCode: String
        /// What is wrong with its signature; nil where nothing is.
        let fault: WebhookSignature.Fault.Kind?
    }

    private let got = Mutex<[Message]>([])
    private let refusals = Mutex(0)

    var messages: [Message] { got.withLock { $0 } }

    /// Those that count.
    var types: [String] { messages.filter { $0.fault == nil }.map(\.type) }

    /// The next so many are answered with 503.
    func refuse(_ count: Int) { refusals.withLock { $0 = count } }

    /// Waits until so many have come.
    func wait(for count: Int) async throws {
        try await eventually("\(count) webhooks have come", every: .milliseconds(10)) { messages.count >= count }
    }

    var router: Router {
        var router = Router()
        router.on("POST", Self.path) { [self] request in
            let content = try JSONValue(parsing: request.body)
            let message = Message(
                id: content["id"].text ?? "",
                type: content["type"].text ?? "",
                shipment: content["shipment"]["id"].text ?? "",
                version: content["shipment"]["version"].integer ?? -1,
                trackingCode: content["shipment"]["trackingCode"].text ?? "",
                fault: Self.fault(of: request)
            )
            got.withLock { $0.append(message) }
            guard message.fault == nil else { return HTTPResponse(status: 400) }
            let isRefused = refusals.withLock { left in
                defer { left = max(0, left - 1) }
                return left > 0
            }
            return HTTPResponse(status: isRefused ? 503 : 200)
        }
        return router
    }

    private static func fault(of request: HTTPRequest) -> WebhookSignature.Fault.Kind? {
        do throws(WebhookSignature.Fault) {
            try WebhookSignature(secret: CourierWorld.secret)?.verify(
                request.headers["Courier-Signature"],
                of: request.body,
                at: Provider.wallClock() / 1000
            )
            return nil
        } catch {
            return error.kind
        }
    }
}

extension HTTPClient.Response {
    var text: String { String(decoding: body, as: UTF8.self) }

    /// The body; null where it is no JSON.
    var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }

    /// The code of an error of the courier's.
    var code: String? { json["error"]["code"].text }
}

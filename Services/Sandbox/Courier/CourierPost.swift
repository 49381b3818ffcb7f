import HTTP
import Synchronization
import Telemetry

/// Carries the courier's webhooks: signed anew for each attempt, and tried again, ever more slowly, until somebody takes them.
final class CourierPost: Sendable {
    /// A webhook.
    struct Webhook: Encodable, Sendable, Equatable {
        struct Parcel: Encodable, Sendable, Equatable {
            let id: String
            let version: Int
            let trackingCode: String
        }

        let id: String
        let type: String
        /// Seconds since 1970.
        let created: Int64
        var shipment: Parcel

        /// That of a shipment that has moved on.
        init(_ shipment: CourierState.Shipment, at now: Int64) {
            id = "wh_" + String(UInt64.random(in: .min ... .max), radix: 36)
            type = "shipment.\(shipment.stage.rawValue)"
            created = now / 1000
            self.shipment = Parcel(
                id: shipment.id,
                version: shipment.version,
                trackingCode: shipment.trackingCode ?? ""
            )
        }
    }

    /// One attempt.
    struct Sent: Encodable, Sendable, Equatable {
        let webhook: String
        let type: String
        let shipment: String
        /// What was answered; nil where nothing was.
        let status: Int?
    }

    /// The pauses between attempts, in milliseconds: twice as long each time, up to the last.
    private static let pauses: ClosedRange<Int64> = 250...30_000
    /// How old an old signature is, in seconds: twice what anybody takes.
    private static let age: Int64 = 600

    private let url: String?
    private let signature: WebhookSignature
    private let client: HTTPClient
    private let logger: Logger
    private let now: @Sendable () -> Int64
    private let attempts = Mutex<[Sent]>([])

    /// - Parameters:
    ///   - url: where webhooks go; none are sent where it is nil.
    ///   - now: milliseconds since 1970.
    init(
        url: String?,
        signature: WebhookSignature,
        client: HTTPClient,
        logger: Logger,
        now: @escaping @Sendable () -> Int64 = Provider.wallClock
    ) {
        self.url = url
        self.signature = signature
        self.client = client
        self.logger = logger
        self.now = now
    }

    /// Every attempt, oldest first.
    var sent: [Sent] { attempts.withLock { $0 } }

    func forget() { attempts.withLock { $0 = [] } }

    /// Delivers a webhook, however long it takes, as the fault has it.
    ///
    /// - Parameter isWanted: whether it is still to be sent.
    func deliver(_ webhook: Webhook, _ fault: CourierFault?, isWanted: @Sendable () -> Bool) async {
        guard let url, fault?.kind != .lost else { return }
        do {
            switch fault?.kind {
            case .slow: try await Task.sleep(for: .milliseconds(fault?.delayMilliseconds ?? 0))
            case .forged:
                if let forger = WebhookSignature(secret: "nobody's") {
                    _ = try await attempt(webhook, to: url, by: forger, at: now() / 1000, isWanted)
                }
            case .old: _ = try await attempt(webhook, to: url, by: signature, at: now() / 1000 - Self.age, isWanted)
            default: break
            }
            try await insist(on: webhook, to: url, isWanted)
            if fault?.kind == .twice { try await insist(on: webhook, to: url, isWanted) }
        } catch is CancellationError {
            return
        } catch {
            logger.error(
                "A webhook cannot be sent",
                [LogField("webhook.id", webhook.id), LogField("error", error: error)]
            )
        }
    }

    private func insist(on webhook: Webhook, to url: String, _ isWanted: @Sendable () -> Bool) async throws {
        var pause = Self.pauses.lowerBound
        while isWanted() {
            let status = try await attempt(webhook, to: url, by: signature, at: now() / 1000, isWanted)
            if let status, (200...299).contains(status) { return }
            try await Task.sleep(for: .milliseconds(pause))
            pause = min(pause * 2, Self.pauses.upperBound)
        }
    }

    /// - Returns: what was answered; nil where nothing was.
    private func attempt(
        _ webhook: Webhook,
        to url: String,
        by signature: WebhookSignature,
        at time: Int64,
        _ isWanted: @Sendable () -> Bool
    ) async throws -> Int? {
        var request = HTTPClient.Request("POST", url)
        request.route = "webhook"
        request.timeout = .seconds(10)
        request.headers["Content-Type"] = "application/json"
        request.body = try HTTPResponse.json(webhook).body
        request.headers["Courier-Signature"] = signature.sign(request.body, at: time)
        var status: Int?
        do {
            status = try await client.send(request).status
        } catch let failure as HTTPClient.Failure {
            if failure.code == .cancelled { throw CancellationError() }
            logger.info(
                "A webhook was not answered",
                [LogField("webhook.id", webhook.id), LogField("error", error: failure)]
            )
        }
        let sent = Sent(webhook: webhook.id, type: webhook.type, shipment: webhook.shipment.id, status: status)
        // One that was under way when all was forgotten is forgotten too.
        attempts.withLock { if isWanted() { $0.append(sent) } }
        return status
    }
}

import HTTP
import Telemetry

/// Sends the provider's events to a webhook, signed as Stripe signs them, until each is answered by 2xx.
struct WebhookSender: Sendable {
    /// Why it cannot be made.
    struct NoSecret: Error, CustomStringConvertible {
        var description: String { "SANDBOX_WEBHOOK_SECRET is empty: nobody could verify a webhook" }
    }

    /// How many are sent at once.
    private static let width = 16

    private let url: String
    private let signature: WebhookSignature
    private let forgery: WebhookSignature
    private let provider: Provider
    private let client: HTTPClient
    private let logger: Logger

    /// A sender.
    /// - Returns: nil where the secret is empty: nobody could verify what it sends.
    init?(url: String, secret: String, provider: Provider, client: HTTPClient, logger: Logger) {
        guard let signature = WebhookSignature(secret: secret), let forgery = WebhookSignature(secret: secret + "x")
        else { return nil }
        self.url = url
        self.signature = signature
        self.forgery = forgery
        self.provider = provider
        self.client = client
        self.logger = logger
    }

    /// Sends until its task is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                // What time settles and what is tried again happens by itself; everything else rings.
                while (try? await Task.sleep(for: .milliseconds(200))) != nil { provider.settle() }
            }
            group.addTask {
                for await _ in provider.webhookBell { await sendAll() }
            }
        }
    }

    /// Sends what is due.
    func sendAll() async {
        while !Task.isCancelled {
            let items = provider.takeWebhooks(Self.width)
            guard !items.isEmpty else { return }
            await withTaskGroup(of: Void.self) { group in
                for item in items {
                    group.addTask { provider.finishWebhook(item, status: await send(item)) }
                }
            }
        }
    }

    /// - Returns: what was answered; nil where nothing was.
    private func send(_ item: WebhookOutbox.Item) async -> Int? {
        do {
            let body = try HTTPResponse.json(item.event).body
            var request = HTTPClient.Request("POST", url)
            request.headers["Content-Type"] = "application/json; charset=utf-8"
            request.headers["User-Agent"] = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
            let signer = item.isForged ? forgery : signature
            request.headers["Stripe-Signature"] = signer.sign(body, at: Provider.wallClock() / 1000)
            request.body = body
            request.timeout = .seconds(10)
            request.route = "webhook"
            let response = try await client.send(request)
            if !(200..<300).contains(response.status) { note("status \(response.status)", item) }
            return response.status
        } catch {
            note("\(error)", item)
            return nil
        }
    }

    private func note(_ reason: String, _ item: WebhookOutbox.Item) {
        logger.info(
            "A webhook was not taken",
            [
                LogField("provider.event", item.event.id), LogField("provider.event.type", item.event.type),
                LogField("attempt", item.attempts), LogField("reason", reason),
            ]
        )
    }
}

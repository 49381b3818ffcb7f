import Database
import HTTP
import Messaging
import Telemetry

/// What the courier tells by webhook.
struct CourierWebhook: Decodable {
    struct Parcel: Decodable {
        let id: String
        let version: Int
        let trackingCode: String
    }

    let id: String
    let type: String
    let shipment: Parcel

    /// What it says; nil where it is of a type that this service does not know.
    var word: Shipment.Word? {
        let parcel = Shipment.Parcel(trackingCode: shipment.trackingCode, version: shipment.version)
        return switch type {
        case "shipment.dispatched": .dispatched(parcel)
        case "shipment.delivered": .delivered(parcel)
        default: nil
        }
    }

    /// - Throws: a `Problem` (422) that names every field at fault.
    func check() throws {
        var faults: [Problem.Fault] = []
        if !(1...255).contains(id.utf8.count) {
            faults.append(Problem.Fault(field: "id", detail: "must have 1 to 255 bytes"))
        }
        if !Shipment.Parcel.isTrackingCode(shipment.trackingCode) {
            faults.append(
                Problem.Fault(field: "shipment.trackingCode", detail: "must have 1 to 64 visible characters of ASCII")
            )
        }
        guard faults.isEmpty else { throw Problem.invalidRequest(faults) }
    }
}

/// What became of a webhook.
struct WebhookReceipt: Encodable {
    enum Outcome: String, Encodable, CaseIterable {
        /// It was taken now.
        case taken
        /// It was taken before.
        case duplicate
        /// It is of a type that this service does not know.
        case ignored
    }

    let outcome: Outcome
}

extension ShippingAPI {
    /// `POST /webhooks/courier`: verified as the bytes that came, before anything of them is read.
    ///
    /// Its id is remembered in the transaction that takes it, so one that could not be taken comes again and is.
    func takeWebhook(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard let signature else { throw Problem(.webhooksOff) }
        let now = now()
        do {
            try signature.verify(request.headers["Courier-Signature"], of: request.body, at: now / 1000)
        } catch {
            logger.warning("Refused a webhook", [LogField("reason", error.description)])
            throw Problem(.webhookSignature, detail: "Nothing was taken: \(error.description).")
        }
        try request.checkNoQuery()
        let webhook = try request.decode(CourierWebhook.self)
        guard let word = webhook.word else { return try .json(WebhookReceipt(outcome: .ignored)) }
        try webhook.check()
        let (desk, orderID) = (desk, webhook.shipment.id)
        do {
            let outcome = try await events.write { transaction -> WebhookReceipt.Outcome in
                guard try ShipmentStore().isNew(webhook: webhook.id, at: now, in: transaction) else {
                    return .duplicate
                }
                // The courier may be faster than Order's events after a restore: it comes again.
                guard try desk.take(word, of: orderID, at: now, in: transaction) else {
                    throw Problem(.notFound, detail: "There is no shipment of this id; send the webhook again later.")
                }
                return .taken
            }
            return try .json(WebhookReceipt(outcome: outcome))
        } catch let contradiction as Shipment.Contradiction {
            logger.warning(
                "The courier contradicts itself",
                [LogField("order.id", orderID), LogField("error", contradiction.description)]
            )
            throw Problem(.courierContradiction, detail: "Nothing was taken: \(contradiction.description).")
        }
    }
}

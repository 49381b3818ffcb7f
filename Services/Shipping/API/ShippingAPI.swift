import Database
import Events
import HTTP
import Messaging
import ServiceKit
import Telemetry

/// Shipping's HTTP interface, as `openapi.yaml` describes it.
struct ShippingAPI: Sendable {
    /// One route and what answers it.
    struct Route: Sendable {
        let method: String
        let pattern: String
        let access: RouteAccess
        let answer: @Sendable (ShippingAPI, HTTPRequest) async throws -> HTTPResponse
    }

    static let routes = [
        Route(method: "GET", pattern: "/shipments/{orderID}", access: .callers) { try await $0.show($1) },
        // Whoever can reach it; the signature says who it is.
        Route(method: "POST", pattern: "/webhooks/courier", access: .anyone) { try await $0.takeWebhook($1) },
    ]

    let database: Database
    let events: EventStore
    let desk: DispatchDesk
    /// Nil where there is no secret, and so nobody could be believed.
    let signature: WebhookSignature?
    let logger: Logger
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64

    init(
        database: Database,
        events: EventStore,
        desk: DispatchDesk,
        signature: WebhookSignature?,
        logger: Logger,
        now: @escaping @Sendable () -> Int64 = WallClock.milliseconds
    ) {
        self.database = database
        self.events = events
        self.desk = desk
        self.signature = signature
        self.logger = logger
        self.now = now
    }

    /// `GET /shipments/{orderID}`: for back ends alone, and without the address: whose order it is Order knows.
    private func show(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard try request.knownCaller.kind != .customer else {
            throw Problem(.roleNotAllowed, detail: "Shipments are shown to back ends alone.")
        }
        try request.checkNoQuery()
        let orderID = request.parameters["orderID"] ?? ""
        guard let shipment = try await database.read({ try ShipmentStore().find(orderID, in: $0) }) else {
            throw Problem(.notFound, detail: "There is no shipment of this order.")
        }
        return try .json(ShipmentView(shipment))
    }
}

/// A shipment as the API shows it; what does not apply is left out.
struct ShipmentView: Encodable {
    let orderID: String
    let state: String
    /// The newest address's version.
    let addressVersion: Int?
    /// The version of the newest address that the courier does not take.
    let refusedVersion: Int?
    let trackingCode: String?
    /// The version of the address that the parcel goes to.
    let dispatchedVersion: Int?
    let createdAt: String
    let updatedAt: String

    init(_ shipment: Shipment) {
        orderID = shipment.orderID
        state = shipment.state.rawValue
        addressVersion = shipment.version == 0 ? nil : shipment.version
        refusedVersion = shipment.refusedVersion == 0 ? nil : shipment.refusedVersion
        trackingCode = shipment.parcel?.trackingCode
        dispatchedVersion = shipment.parcel?.version
        createdAt = Timestamp(milliseconds: shipment.createdAt).description
        updatedAt = Timestamp(milliseconds: shipment.updatedAt).description
    }
}

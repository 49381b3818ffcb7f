import Database
import Events
import HTTP
import ServiceKit
import ShopEvents
import Telemetry

/// `GET /payments/{orderID}`: how the payment of an order stands.
struct PaymentAPI: Sendable {
    let database: Database

    /// A payment as clients see it; what does not apply is left out.
    private struct Answer: Encodable {
        let orderID: String
        let purpose: String
        let state: String
        let total: Money
        let paymentID: String?
        let refundID: String?
        let declineReason: String?
        let createdAt: String
        let updatedAt: String

        init(_ payment: Payment) {
            orderID = payment.orderID
            purpose = payment.purpose.rawValue
            state = payment.state.rawValue
            total = payment.total
            paymentID = payment.paymentID
            refundID = payment.refundID
            declineReason = payment.declineReason
            createdAt = Timestamp(milliseconds: payment.createdAt).description
            updatedAt = Timestamp(milliseconds: payment.updatedAt).description
        }
    }

    /// Registers the route.
    func register(_ route: (String, String, @escaping Router.Handler) -> Void) {
        route("GET", "/payments/{orderID}", show)
    }

    /// For back ends alone: whose order it is Order knows, and shows its customer.
    @Sendable private func show(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard try request.knownCaller.kind != .customer else {
            throw Problem(.roleNotAllowed, detail: "Payments are shown to back ends alone.")
        }
        try request.checkNoQuery()
        let orderID = request.parameters["orderID"] ?? ""
        guard let payment = try await database.read({ try PaymentStore().find(orderID, in: $0) }) else {
            throw Problem(.notFound, detail: "There is no payment for this order.")
        }
        return try .json(Answer(payment))
    }
}

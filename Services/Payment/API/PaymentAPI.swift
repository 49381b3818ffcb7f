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
        /// What went back for a partial cancellation, or will.
        struct Part: Encodable {
            let number: Int
            let state: String
            let total: Money
            let refundID: String?
        }

        let orderID: String
        let purpose: String
        let state: String
        let total: Money
        let paymentID: String?
        let refundID: String?
        let declineReason: String?
        /// Absent where there are none.
        let parts: [Part]?
        let createdAt: String
        let updatedAt: String

        init(_ payment: Payment, _ parts: [PartRefund]) {
            orderID = payment.orderID
            purpose = payment.purpose.rawValue
            state = payment.state.rawValue
            total = payment.total
            paymentID = payment.paymentID
            refundID = payment.refundID
            declineReason = payment.declineReason
            self.parts =
                parts.isEmpty
                ? nil
                : parts.map {
                    Part(number: $0.number, state: $0.state.rawValue, total: $0.money, refundID: $0.refundID)
                }
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
        let found = try await database.read { transaction in
            try PaymentStore().find(orderID, in: transaction).map {
                ($0, try PartRefundStore().all(of: orderID, in: transaction))
            }
        }
        guard let (payment, parts) = found else {
            throw Problem(.notFound, detail: "There is no payment for this order.")
        }
        return try .json(Answer(payment, parts))
    }
}

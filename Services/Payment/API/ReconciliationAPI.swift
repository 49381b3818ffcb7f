import HTTP
import ServiceKit
import ShopEvents
import Telemetry

/// `GET /reconciliations/{day}`: a day of the provider's books held against the ledger.
struct ReconciliationAPI: Sendable {
    let reconciler: Reconciler

    private struct Answer: Encodable {
        struct Difference: Encodable {
            let kind: String
            let object: String
            let id: String
            let orderID: String?
            let atProvider: Money?
            let inLedger: Money?
            let mend: String
        }

        let day: String
        let charges: Int
        let refunds: Int
        let disputes: Int
        let differences: [Difference]

        init(_ day: String, _ result: Reconciliation) {
            self.day = day
            charges = result.looked[.charge] ?? 0
            refunds = result.looked[.refund] ?? 0
            disputes = result.looked[.dispute] ?? 0
            differences = result.differences.map {
                Difference(
                    kind: $0.kind.rawValue,
                    object: $0.object.rawValue,
                    id: $0.id,
                    orderID: $0.orderID,
                    atProvider: $0.atProvider,
                    inLedger: $0.inLedger,
                    mend: $0.mend
                )
            }
        }
    }

    /// Registers the route.
    func register(_ route: (String, String, @escaping Router.Handler) -> Void) {
        route("GET", "/reconciliations/{day}", show)
    }

    @Sendable private func show(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard try request.knownCaller.kind != .customer else {
            throw Problem(.roleNotAllowed, detail: "The books are shown to back ends alone.")
        }
        try request.checkNoQuery()
        let day = request.parameters["day"] ?? ""
        guard day.utf8.count == 10, let start = Timestamp(rfc3339: day + "T00:00:00Z") else {
            throw Problem.invalidRequest([Problem.Fault(field: "day", detail: "must be a day, YYYY-MM-DD, in UTC")])
        }
        do {
            return try .json(Answer(day, try await reconciler.compare(dayFrom: start.milliseconds / 1000)))
        } catch let failure as ProviderFailure {
            throw Problem(.providerSilent, detail: failure.description)
        }
    }
}

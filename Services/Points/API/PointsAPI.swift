import Database
import Events
import HTTP
import Messaging
import ServiceKit
import ShopEvents

/// Points' HTTP interface, as `openapi.yaml` describes it.
struct PointsAPI: Sendable {
    /// One route and what answers it.
    struct Route: Sendable {
        let method: String
        let pattern: String
        let answer: @Sendable (PointsAPI, HTTPRequest) async throws -> HTTPResponse
    }

    static let routes = [
        Route(method: "GET", pattern: "/accounts/{customer}") { try await $0.showAccount($1) },
        Route(method: "GET", pattern: "/accounts/{customer}/entries") { try await $0.listEntries($1) },
        Route(method: "POST", pattern: "/accounts/{customer}/charges") { try await $0.charge($1) },
        Route(method: "GET", pattern: "/accounts/{customer}/charges/{id}") { try await $0.showCharge($1) },
        Route(method: "GET", pattern: "/ledger") { try await $0.checkLedger($1) },
    ]

    let database: Database
    let events: EventStore
    let desk: PointsDesk
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64

    init(
        database: Database,
        events: EventStore,
        desk: PointsDesk,
        now: @escaping @Sendable () -> Int64 = WallClock.milliseconds
    ) {
        self.database = database
        self.events = events
        self.desk = desk
        self.now = now
    }

    /// The customer whose account a request is about, and who sends it.
    ///
    /// - Throws: a `Problem`: 404 where a customer asks for somebody else's, 422 where the path names none.
    func account(of request: HTTPRequest) throws -> (customer: String, caller: Caller) {
        let caller = try request.knownCaller
        let customer = request.parameters["customer"] ?? ""
        guard caller.kind != .customer || caller.name == customer else {
            throw Problem(.notFound, detail: "There is no such account.")
        }
        guard PointsLimits.isCustomer(customer) else {
            throw Problem.invalidRequest([Problem.Fault(field: "customer", detail: PointsLimits.customerRule)])
        }
        return (customer, caller)
    }
}

/// What requests must keep to.
///
/// Stated in `openapi.yaml` too.
enum PointsLimits {
    static let customerLength = ContractLimits.textLength
    static let amount = ContractLimits.points
    static let paymentMethodLength = ContractLimits.textLength
    static let pageSize = 1...100

    static let customerRule = """
        must have \(customerLength.lowerBound) to \(customerLength.upperBound) characters, and no control characters
        """

    /// Whether a text can name a customer.
    static func isCustomer(_ text: String) -> Bool {
        customerLength.contains(text.unicodeScalars.count)
            && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
    }
}

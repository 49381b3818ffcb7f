import Database
import HTTP
import ServiceKit

extension PointsAPI {
    /// `GET /accounts/{customer}`: what a customer has.
    func showAccount(_ request: HTTPRequest) async throws -> HTTPResponse {
        let (customer, _) = try account(of: request)
        try request.checkNoQuery()
        let balances = try await database.read { try desk.ledger.balances(of: customer, in: $0) }
        return try .json(AccountView(customer, balances))
    }

    /// `GET /accounts/{customer}/entries?currency=&after=&limit=`: one page, newest first.
    func listEntries(_ request: HTTPRequest) async throws -> HTTPResponse {
        let (customer, _) = try account(of: request)
        let query = try EntryQuery(request.query)
        let found = try await database.read { transaction in
            // One more than asked for tells whether there is another page.
            try desk.ledger.page(
                of: customer,
                currency: query.currency,
                before: query.after,
                limit: query.limit + 1,
                in: transaction
            )
        }
        let shown = found.prefix(query.limit)
        let next = found.count > query.limit ? shown.last.map { String($0.number) } : nil
        var response = try HTTPResponse.json(EntryPage(entries: shown.map(EntryView.init), next: next))
        if let next { response.headers["Link"] = "<\(query.path(of: customer, after: next))>; rel=\"next\"" }
        return response
    }

    /// `GET /ledger`: reads all of it, and says what it comes to and whether it holds together.
    func checkLedger(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard try request.knownCaller.kind != .customer else {
            throw Problem(.roleNotAllowed, detail: "Customers may see their own account; the ledger is for back ends.")
        }
        try request.checkNoQuery()
        let check = try await database.read { try LedgerCheck(in: $0) }
        return try .json(LedgerView(check))
    }
}

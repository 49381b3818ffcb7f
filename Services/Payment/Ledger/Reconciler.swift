import Database
import ShopEvents

/// Reads the provider's books of a day and the ledger, and compares them.
struct Reconciler: Sendable {
    let database: Database
    let books: any ProviderBooks

    /// Compares one day.
    ///
    /// The provider is read first and the ledger after it, so that what happens meanwhile is no difference.
    /// - Parameter start: the day's first second, since 1970.
    /// - Throws: `ProviderFailure`; `DatabaseError`.
    func compare(dayFrom start: Int64) async throws -> Reconciliation {
        let end = start + 86_400
        var objects: [ProviderObject] = []
        for kind in ProviderObject.Kind.allCases {
            objects += try await books.all(kind, from: start, to: end)
        }
        let listed = Set(objects.map(\.id))
        let ledger = PaymentLedger()
        let booked = try await database.read { transaction in
            try ledger.standings(postedFrom: start * 1000, to: end * 1000, in: transaction)
        }
        // What the ledger booked on the day was made at the provider before midnight, or it is not there at all.
        for (id, entry) in booked where !listed.contains(id) {
            if let object = try await books.find(entry.kind, id) { objects.append(object) }
        }
        let found = objects
        return try await database.read { transaction in
            let standings = try ledger.standings(of: found.map(\.id), in: transaction)
            let orders = Set(found.compactMap(\.orderID))
            let known = try orders.filter { try PaymentStore().find($0, in: transaction) != nil }
            return Reconciliation(found, standings: standings, booked: booked, known: known)
        }
    }
}

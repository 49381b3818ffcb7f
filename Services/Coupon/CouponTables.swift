import Database

/// The service's own tables.
enum CouponTables {
    static let migrations = MigrationSet(
        "coupon",
        [DefinitionStore.migration, CouponStore.migration, ClaimKeys.migration, RedemptionStore.migration]
    )
}

/// Someone else changed a row since it was read; the whole transaction has to be done again.
///
/// Cannot happen with one writer, as SQLite has it.
struct ChangedMeanwhile: Error, CustomStringConvertible {
    let what: String
    var description: String { "\(what) was changed meanwhile" }
}

extension Row {
    /// A column that holds one of an enumeration's names.
    func value<Value: RawRepresentable<String>>(_ column: String) throws -> Value {
        let text: String = try self[column]
        guard let value = Value(rawValue: text) else {
            throw DatabaseError(code: .conversion, reason: "column \(column) holds an unknown name")
        }
        return value
    }
}

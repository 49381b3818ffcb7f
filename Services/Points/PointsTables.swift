import Database

/// The service's own tables.
enum PointsTables {
    static let migrations = MigrationSet(
        "points",
        [Ledger.migration, OrderPointsStore.migration, ChargeStore.migration, OrderPointsStore.partMigration]
    )
}

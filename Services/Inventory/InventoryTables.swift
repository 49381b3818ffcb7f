import Database

/// The service's own tables.
enum InventoryTables {
    static let migrations = MigrationSet(
        "inventory",
        [ProductStore.migration, StockMovements.migration, ReservationStore.migration]
    )
}

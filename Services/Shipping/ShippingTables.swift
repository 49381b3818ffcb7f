import Database

/// The service's own tables.
enum ShippingTables {
    static let migrations = MigrationSet("shipping", [ShipmentStore.migration])
}

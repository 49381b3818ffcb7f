import Database
import JSON
import ShopEvents

/// The shipments in the service's database, and the webhooks that were taken.
///
/// Every call runs in the caller's transaction.
struct ShipmentStore: Sendable {
    /// An address is there only where it may still be needed, and always where the courier is to be told of it; a parcel is there
    /// where one is said to have left.
    static let migration = MigrationSet.Migration(
        "shipments",
        """
        CREATE TABLE shipments (
            order_id TEXT NOT NULL PRIMARY KEY,
            state TEXT NOT NULL,
            address TEXT,
            version BIGINT NOT NULL CHECK (version >= 0),
            asked_version BIGINT NOT NULL CHECK (asked_version BETWEEN 0 AND version),
            refused_version BIGINT NOT NULL CHECK (refused_version BETWEEN 0 AND asked_version),
            tracking_code TEXT,
            parcel_version BIGINT,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            CHECK ((tracking_code IS NULL) = (parcel_version IS NULL)),
            CHECK (parcel_version IS NULL OR parcel_version BETWEEN 1 AND asked_version),
            CHECK (
                (state IN ('announced', 'requested', 'booked') AND address IS NOT NULL AND tracking_code IS NULL)
                OR (state = 'waiting' AND tracking_code IS NULL)
                OR (state IN ('dispatched', 'delivered', 'returning') AND address IS NULL AND tracking_code IS NOT NULL)
                OR (state IN ('calling-off', 'called-off') AND address IS NULL)
            )
        );
        CREATE TABLE courier_webhooks (
            id TEXT NOT NULL PRIMARY KEY,
            received_at BIGINT NOT NULL
        );
        CREATE INDEX courier_webhooks_by_time ON courier_webhooks (received_at);
        """
    )

    /// How long the ids of webhooks are kept, in milliseconds: far longer than a signature is taken.
    private static let memory: Int64 = 30 * 86_400_000

    /// The shipment of an order.
    func find(_ orderID: String, in transaction: Transaction) throws -> Shipment? {
        try transaction.first("SELECT * FROM shipments WHERE order_id = $1", orderID).map(Self.shipment)
    }

    /// Adds a shipment.
    func insert(_ shipment: Shipment, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO shipments (order_id, state, address, version, asked_version, refused_version, tracking_code,
                parcel_version, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """,
            shipment.orderID,
            shipment.state.rawValue,
            try Self.text(of: shipment.address),
            shipment.version,
            shipment.askedVersion,
            shipment.refusedVersion,
            shipment.parcel?.trackingCode,
            shipment.parcel?.version,
            shipment.createdAt,
            shipment.updatedAt
        )
    }

    /// Writes what a transition has changed.
    ///
    /// - Parameter before: as it was read.
    /// - Throws: `ChangedMeanwhile`.
    func update(_ shipment: Shipment, from before: Shipment, in transaction: Transaction) throws {
        let changed = try transaction.execute(
            """
            UPDATE shipments SET state = $4, address = $5, version = $6, asked_version = $7, refused_version = $8,
                tracking_code = $9, parcel_version = $10, updated_at = $11
            WHERE order_id = $1 AND state = $2 AND version = $3
            """,
            shipment.orderID,
            before.state.rawValue,
            before.version,
            shipment.state.rawValue,
            try Self.text(of: shipment.address),
            shipment.version,
            shipment.askedVersion,
            shipment.refusedVersion,
            shipment.parcel?.trackingCode,
            shipment.parcel?.version,
            shipment.updatedAt
        )
        guard changed == 1 else { throw ChangedMeanwhile(orderID: shipment.orderID) }
    }

    /// Remembers a webhook, and forgets those that are far too old to come again.
    ///
    /// - Returns: whether it is new.
    func isNew(webhook id: String, at now: Int64, in transaction: Transaction) throws -> Bool {
        guard try transaction.first("SELECT 1 FROM courier_webhooks WHERE id = $1", id) == nil else { return false }
        try transaction.execute("DELETE FROM courier_webhooks WHERE received_at < $1", now - Self.memory)
        try transaction.execute("INSERT INTO courier_webhooks (id, received_at) VALUES ($1, $2)", id, now)
        return true
    }

    /// Someone else changed the shipment since it was read; the whole transaction has to be done again.
    ///
    /// Cannot happen with one writer, as SQLite has it.
    struct ChangedMeanwhile: Error, CustomStringConvertible {
        let orderID: String
        var description: String { "the shipment of order \(orderID) was changed meanwhile" }
    }

    /// A row has a state that this version does not know.
    struct UnknownState: Error, CustomStringConvertible {
        let name: String
        var description: String { "a shipment has the state \(name), which this version does not know" }
    }

    private static func text(of address: PostalAddress?) throws -> String? {
        try address.map { String(decoding: try StrictJSON.encode($0), as: UTF8.self) }
    }

    private static func shipment(_ row: Row) throws -> Shipment {
        let address: String? = try row["address"]
        let trackingCode: String? = try row["tracking_code"]
        let name: String = try row["state"]
        guard let state = Shipment.State(rawValue: name) else { throw UnknownState(name: name) }
        return Shipment(
            orderID: try row["order_id"],
            state: state,
            address: try address.map { try StrictJSON.decode(PostalAddress.self, from: Array($0.utf8)) },
            version: try row["version"],
            askedVersion: try row["asked_version"],
            refusedVersion: try row["refused_version"],
            parcel: try trackingCode.map { Shipment.Parcel(trackingCode: $0, version: try row["parcel_version"]) },
            createdAt: try row["created_at"],
            updatedAt: try row["updated_at"]
        )
    }
}

import HTTP
import ServiceKit

/// The body of `POST /products/{sku}/stock`: how many came in or went out, or everything that is wrong with it.
struct StockForm: Decodable {
    /// What is right.
    struct Movement: Sendable, Equatable {
        let change: Int
        let reason: String?
    }

    let movement: Movement?
    let faults: [Problem.Fault]

    init(from decoder: any Decoder) throws {
        let faults = FaultCollector()
        let body = try FieldReader(decoder, faults: faults)
        body.refuseFields(otherThan: ["change", "reason"])
        let change = body.integer("change", in: InventoryLimits.change)
        if change == 0 { body.fault("change", "must not be 0") }
        let reason = body.has("reason") ? body.line("reason", InventoryLimits.reasonLength) : nil
        self.faults = faults.faults
        movement = faults.faults.isEmpty ? change.map { Movement(change: Int($0), reason: reason) } : nil
    }

    /// What the body says.
    ///
    /// - Throws: a `Problem` (422) that names every field at fault.
    func checked() throws -> Movement {
        guard let movement else { throw Problem.invalidRequest(faults) }
        return movement
    }
}

import HTTP
import ServiceKit
import ShopEvents

/// The body of `POST /reservations`: what a client wants, or everything that is wrong with it.
struct ReservationForm: Decodable {
    /// What is right.
    struct Wish: Sendable, Equatable {
        let id: String
        /// As they were sent: one product may be there more than once.
        let lines: [Reservation.Line]
        /// Seconds; nil for the shop's own time.
        let expiresIn: Int64?
    }

    let wish: Wish?
    let faults: [Problem.Fault]

    init(from decoder: any Decoder) throws {
        let faults = FaultCollector()
        let body = try FieldReader(decoder, faults: faults)
        body.refuseFields(otherThan: ["id", "lines", "expiresIn"])
        let id = body.text("id")
        if let id, !Self.isID(id) { body.fault("id", Self.idRule) }
        let lines = body.objects("lines", count: InventoryLimits.lineCount)?.compactMap(Self.line)
        let expiresIn = body.has("expiresIn") ? body.integer("expiresIn", in: InventoryLimits.expiresIn) : nil
        self.faults = faults.faults
        if faults.faults.isEmpty, let id, let lines {
            wish = Wish(id: id, lines: lines, expiresIn: expiresIn)
        } else {
            wish = nil
        }
    }

    /// What the body says.
    ///
    /// - Throws: a `Problem` (422) that names every field at fault.
    func checked() throws -> Wish {
        guard let wish else {
            throw Problem.invalidRequest(faults, detail: "Correct the fields named and send the reservation again.")
        }
        return wish
    }

    /// Whether a text can name a client's reservation; the same letters as an article's.
    static func isID(_ text: String) -> Bool { OrderLine.isSKU(text) }

    static let idRule =
        "must be \(InventoryLimits.idLength.lowerBound) to \(InventoryLimits.idLength.upperBound) of A-Z a-z 0-9 . _ -"

    private static func line(_ reader: FieldReader) -> Reservation.Line? {
        reader.refuseFields(otherThan: ["sku", "quantity"])
        let sku = reader.text("sku")
        if let sku, !OrderLine.isSKU(sku) { reader.fault("sku", InventoryLimits.skuRule) }
        let range = InventoryLimits.quantity
        let quantity = reader.integer("quantity", in: Int64(range.lowerBound)...Int64(range.upperBound))
        guard let sku, let quantity else { return nil }
        return Reservation.Line(sku: sku, quantity: Int(quantity))
    }
}

import HTTP
import ServiceKit

/// The body of `POST /coupons/definitions/{id}/claims`: whose coupon it is to be, or everything that is wrong with it.
struct ClaimForm: Decodable {
    let customer: String?
    let faults: [Problem.Fault]

    init(from decoder: any Decoder) throws {
        let faults = FaultCollector()
        let body = try FieldReader(decoder, faults: faults)
        body.refuseFields(otherThan: ["customer"])
        let customer = body.line("customer", CouponLimits.customerLength)
        self.faults = faults.faults
        self.customer = faults.faults.isEmpty ? customer : nil
    }

    /// What the body says.
    ///
    /// - Throws: a `Problem` (422) that names every field at fault.
    func checked() throws -> String {
        guard let customer else { throw Problem.invalidRequest(faults) }
        return customer
    }
}

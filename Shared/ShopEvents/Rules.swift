public import Events
import Telemetry

// What the types of the fields cannot say: the rules of `asyncapi.yaml`. An event that breaks one is neither written nor read
// (`Event.validate`); one that keeps them costs a comparison each, and a look along its short texts.

/// One rule of one field; a fault names both, and never the value, which may be somebody's.
private enum Rule {
    /// A text of so many characters, as JSON Schema counts them.
    static func text(
        _ text: String,
        _ field: @autoclosure () -> String,
        _ length: ClosedRange<Int> = ContractLimits.textLength
    ) throws(EventFault) {
        // There are no more characters than bytes, and those are known.
        guard length.contains(text.utf8.count) || length.contains(text.unicodeScalars.count) else {
            throw fault(field(), "have \(length.lowerBound) to \(length.upperBound) characters")
        }
    }

    static func range<Number: FixedWidthInteger>(
        _ number: Number,
        _ range: ClosedRange<Number>,
        _ field: @autoclosure () -> String
    ) throws(EventFault) {
        guard range.contains(number) else {
            throw fault(field(), "be from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    static func form(_ holds: Bool, _ field: @autoclosure () -> String, _ rule: StaticString) throws(EventFault) {
        guard holds else { throw fault(field(), "\(rule)") }
    }

    static func count(_ count: Int, _ range: ClosedRange<Int>, _ field: StaticString) throws(EventFault) {
        guard range.contains(count) else {
            throw fault("\(field)", "have \(range.lowerBound) to \(range.upperBound) elements")
        }
    }

    private static func fault(_ field: String, _ rule: String) -> EventFault {
        EventFault(.invalidData, "data.\(field) must \(rule)")
    }
}

extension Money {
    fileprivate func validate(_ field: StaticString = "total") throws(EventFault) {
        try Rule.range(amount, ContractLimits.amount, "\(field).amount")
        try Rule.form(Currency.isCode(currency), "\(field).currency", "be the code of an active currency (ISO 4217)")
    }
}

extension Customer {
    fileprivate func validate() throws(EventFault) {
        try Rule.form(
            EmailAddress.isValid(email),
            "customer.email",
            "be an e-mail address (local@domain in ASCII, at most 254 bytes)"
        )
        try Rule.text(name, "customer.name", ContractLimits.nameLength)
        if let id { try Rule.text(id, "customer.id") }
        guard let locale else { return }
        try Rule.form(Self.isLocale(locale), "customer.locale", "be a language tag (BCP 47) of 2 to 35 characters")
    }

    /// Whether a text can be a language tag: letters and digits in groups of at most eight, the first of letters alone.
    public static func isLocale(_ text: String) -> Bool {
        guard ContractLimits.localeLength.contains(text.utf8.count) else { return false }
        func isLetter(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
        let groups = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard let first = groups.first, (2...3).contains(first.count), first.allSatisfy(isLetter) else { return false }
        return groups.dropFirst().allSatisfy { group in
            (1...8).contains(group.count)
                && group.allSatisfy { isLetter($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        }
    }
}

extension Deductions {
    /// - Parameter total: the sum of the lines, which no deduction exceeds.
    fileprivate func validate(of total: Money?) throws(EventFault) {
        if let coupon { try Rule.text(coupon, "deductions.coupon", ContractLimits.skuLength) }
        if let discount { try Rule.range(discount, ContractLimits.amount, "deductions.discount") }
        if let points { try Rule.range(points, ContractLimits.points, "deductions.points") }
        // What is asked for may be more; what is taken off is not.
        guard discount != nil, let total else { return }
        try Rule.form(amount <= total.amount, "deductions", "come to no more than data.total")
    }
}

extension PostalAddress {
    /// Whether a text can name a country: two capital letters.
    public static func isCountry(_ text: String) -> Bool {
        text.utf8.count == 2 && text.utf8.allSatisfy((UInt8(ascii: "A")...UInt8(ascii: "Z")).contains)
    }

    fileprivate func validate() throws(EventFault) {
        try Rule.text(name, "address.name", ContractLimits.nameLength)
        try Rule.count(lines.count, ContractLimits.addressLineCount, "address.lines")
        for index in lines.indices {
            try Rule.text(lines[index], "address.lines[\(index)]", ContractLimits.nameLength)
        }
        try Rule.text(postalCode, "address.postalCode", ContractLimits.postalCodeLength)
        try Rule.text(city, "address.city", ContractLimits.nameLength)
        try Rule.form(Self.isCountry(country), "address.country", "be two capital letters (ISO 3166-1)")
    }
}

extension OrderLine {
    /// Whether a text can name an article: letters, digits, `.`, `_` and `-`.
    public static func isSKU(_ text: String) -> Bool {
        guard ContractLimits.skuLength.contains(text.utf8.count) else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }

    fileprivate func validate(at index: Int) throws(EventFault) {
        try Rule.form(Self.isSKU(sku), "lines[\(index)].sku", "have 1 to 64 of A-Z a-z 0-9 . _ -")
        try Rule.range(quantity, ContractLimits.quantity, "lines[\(index)].quantity")
        try Rule.range(unitPrice, ContractLimits.unitPrice, "lines[\(index)].unitPrice")
        if let name { try Rule.text(name, "lines[\(index)].name", ContractLimits.nameLength) }
    }
}

extension OrderPlaced {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try customer.validate()
        try Rule.count(lines.count, ContractLimits.lineCount, "lines")
        for index in lines.indices { try lines[index].validate(at: index) }
        try total.validate()
        try deductions?.validate(of: nil)
    }
}

extension OrderAccepted {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try total.validate()
        try customer?.validate()
        try deductions?.validate(of: total)
    }
}

extension OrderPaymentRequested {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try total.validate()
        try Rule.text(paymentMethod, "paymentMethod")
    }
}

extension OrderConfirmed {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try customer.validate()
        try total.validate()
        try deductions?.validate(of: total)
    }
}

extension OrderRejected {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try customer.validate()
        try Rule.text(reason, "reason")
        try total?.validate()
        try deductions?.validate(of: total)
    }
}

extension OrderCancelled {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try customer.validate()
        try total.validate()
        if let reason { try Rule.text(reason, "reason") }
        try deductions?.validate(of: total)
    }
}

extension OrderRefunded {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try customer.validate()
        try total.validate()
        if let reason { try Rule.text(reason, "reason") }
    }
}

extension OrderLinesCancelled {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try customer.validate()
        try Rule.range(number, ContractLimits.partNumber, "number")
        try Rule.count(lines.count, ContractLimits.lineCount, "lines")
        for index in lines.indices { try lines[index].validate(at: index) }
        try total.validate()
        try refund?.validate("refund")
        if let points { try Rule.range(points, ContractLimits.points, "points") }
    }
}

extension OrderPartlyRefunded {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try customer.validate()
        try Rule.range(number, ContractLimits.partNumber, "number")
        try total.validate()
    }
}

extension PaymentPartlyRefunded {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.range(number, ContractLimits.partNumber, "number")
        try Rule.text(refundID, "refundID")
        try total.validate()
    }
}

extension PaymentCaptured {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.text(paymentID, "paymentID")
        try total.validate()
    }
}

extension PaymentDeclined {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.text(reason, "reason")
    }
}

extension PaymentRefundRequested {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.text(refundID, "refundID")
        try total.validate()
    }
}

extension PaymentRefunded {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.text(refundID, "refundID")
        try total.validate()
    }
}

extension PaymentVoided {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
    }
}

extension Money {
    /// A price may be nothing, and ends where a line's does.
    fileprivate func validatePrice() throws(EventFault) {
        try Rule.range(amount, ContractLimits.unitPrice, "price.amount")
        try Rule.form(Currency.isCode(currency), "price.currency", "be the code of an active currency (ISO 4217)")
    }
}

extension Rule {
    fileprivate static func sku(_ sku: String, _ field: @autoclosure () -> String = "sku") throws(EventFault) {
        try form(OrderLine.isSKU(sku), field(), "have 1 to 64 of A-Z a-z 0-9 . _ -")
    }
}

extension ProductListed {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.sku(sku)
        try Rule.text(name, "name", ContractLimits.nameLength)
        try price.validatePrice()
    }
}

extension ProductPriceChanged {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.sku(sku)
        try price.validatePrice()
    }
}

extension StockChanged {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.sku(sku)
    }
}

extension StockReserved {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.form(Timestamp(rfc3339: expiresAt) != nil, "expiresAt", "be a time, RFC 3339")
    }
}

extension StockRejected {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.text(reason, "reason")
        try Rule.count(skus.count, 0...ContractLimits.lineCount.upperBound, "skus")
        for index in skus.indices { try Rule.sku(skus[index], "skus[\(index)]") }
    }
}

extension StockConfirmed {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
    }
}

extension StockReleased {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.text(reason, "reason")
    }
}

extension OrderShippingAddressChanged {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try address.validate()
        try Rule.range(version, ContractLimits.addressVersion, "version")
    }
}

extension OrderDispatched {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try customer.validate()
        try Rule.text(trackingCode, "trackingCode")
    }
}

extension CouponRedeemed {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.text(coupon, "coupon", ContractLimits.skuLength)
        try discount.validate("discount")
        try Rule.form(Timestamp(rfc3339: expiresAt) != nil, "expiresAt", "be a time, RFC 3339")
    }
}

extension CouponRejected {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.text(reason, "reason")
    }
}

extension CouponConfirmed {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
    }
}

extension CouponReleased {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.text(reason, "reason")
    }
}

extension PointsSpent {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.range(points, ContractLimits.points, "points")
    }
}

extension PointsRejected {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.text(reason, "reason")
    }
}

extension PointsRestored {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.range(points, ContractLimits.points, "points")
    }
}

extension PointsChargeRequested {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(chargeID, "chargeID")
        try total.validate()
        try Rule.text(paymentMethod, "paymentMethod")
    }
}

extension ShipmentDispatched {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.text(trackingCode, "trackingCode")
        try Rule.range(addressVersion, ContractLimits.addressVersion, "addressVersion")
    }
}

extension ShipmentDelivered {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
    }
}

extension ShipmentRefused {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.text(reason, "reason")
        try Rule.range(addressVersion, ContractLimits.addressVersion, "addressVersion")
    }
}

extension PaymentDisputed {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(orderID, "orderID")
        try Rule.text(disputeID, "disputeID")
        try Rule.text(reason, "reason")
        try total.validate()
    }
}

extension PaymentTopUpCaptured {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(chargeID, "chargeID")
        try Rule.text(paymentID, "paymentID")
        try total.validate()
    }
}

extension PaymentTopUpDeclined {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(chargeID, "chargeID")
        try Rule.text(reason, "reason")
    }
}

extension PaymentTopUpRefunded {
    /// - Throws: `EventFault` that names the field whose rule is broken.
    public func validate() throws(EventFault) {
        try Rule.text(chargeID, "chargeID")
        try Rule.text(refundID, "refundID")
        try total.validate()
    }
}

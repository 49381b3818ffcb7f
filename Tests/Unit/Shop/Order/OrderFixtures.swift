import ShopEvents

@testable import Order

/// What the tests of Order share.
enum OrderFixtures {
    static let total = Money(amount: 1300, currency: "EUR")
    static let draft = OrderDraft(
        customer: Customer(email: "ada@example.com", name: "Ada Lovelace"),
        lines: [OrderLine(sku: "TEA-500", quantity: 2, unitPrice: 650)],
        total: total,
        paymentMethod: "pm_card_visa"
    )
    static let address = PostalAddress(
        name: "Ada Lovelace",
        lines: ["12 St James's Square"],
        postalCode: "SW1Y 4JH",
        city: "London",
        country: "GB"
    )
    static let id = "0198c0de-0000-7000-8000-000000000001"

    /// A body of `POST /orders` that is right.
    static let body = """
        {"customer":{"email":"ada@example.com","name":"Ada Lovelace"},"currency":"EUR",\
        "lines":[{"sku":"TEA-500","quantity":2,"unitPrice":650}],"paymentMethod":"pm_card_visa"}
        """

    static func placed(id: String = id, at time: Int64 = 1000) -> Order { Order.place(draft, id: id, at: time).order }
}

import ShopEvents

/// A product: what it is called, what it costs, and how many there are.
struct Product: Sendable, Equatable {
    let sku: String
    private(set) var name: String
    private(set) var price: Money
    var stock: Stock
    /// The level that was last said; what is not said yet is `out`.
    var saidLevel: StockLevel
    /// Milliseconds since 1970.
    var updatedAt: Int64

    /// What others are to hear of a product that was put.
    enum Announcement: Sendable, Equatable {
        case listed(ProductListed)
        case priceChanged(ProductPriceChanged)
    }

    init(
        sku: String,
        name: String,
        price: Money,
        stock: Stock = Stock(),
        saidLevel: StockLevel = .out,
        updatedAt: Int64
    ) {
        self.sku = sku
        self.name = name
        self.price = price
        self.stock = stock
        self.saidLevel = saidLevel
        self.updatedAt = updatedAt
    }

    /// All that others keep of it.
    var listing: ProductListed { ProductListed(sku: sku, name: name, price: price) }

    /// Takes another name and price.
    ///
    /// - Returns: what others are to hear; nil when it is called and costs what it did.
    mutating func put(name: String, price: Money, at now: Int64) -> Announcement? {
        let isRenamed = name != self.name
        guard isRenamed || price != self.price else { return nil }
        self.name = name
        self.price = price
        updatedAt = now
        return isRenamed ? .listed(listing) : .priceChanged(ProductPriceChanged(sku: sku, price: price))
    }

    /// The level, where it is another than was last said; from then on it is said.
    mutating func levelToSay(low: Int) -> StockChanged? {
        let level = stock.level(low: low)
        guard level != saidLevel else { return nil }
        saidLevel = level
        return StockChanged(sku: sku, level: level)
    }
}

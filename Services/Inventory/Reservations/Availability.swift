/// What can be had of some lines, given the stock there is: a pure decision, all lines or none.
enum Availability: Sendable, Equatable {
    /// All of it, now.
    case free
    /// Not all: others have reserved the last ones of these products, and may give them back.
    case locked([String])
    /// Not all, and not even if everything that is reserved were given back: too few of these products lie there.
    case short([String])
    /// There are no such products.
    case unknown([String])

    /// Decides.
    ///
    /// What is worse counts: a product that does not exist before one that is short, and that before one that is locked.
    ///
    /// - Parameters:
    ///   - lines: what is wanted; each product once (`Reservation.Line.addedUp`).
    ///   - stocks: the stock of each product that exists.
    init(of lines: [Reservation.Line], given stocks: [String: Stock]) {
        var unknown: [String] = []
        var short: [String] = []
        var locked: [String] = []
        for line in lines {
            guard let stock = stocks[line.sku] else {
                unknown.append(line.sku)
                continue
            }
            if stock.onHand < line.quantity {
                short.append(line.sku)
            } else if stock.available < line.quantity {
                locked.append(line.sku)
            }
        }
        if !unknown.isEmpty {
            self = .unknown(unknown)
        } else if !short.isEmpty {
            self = .short(short)
        } else if !locked.isEmpty {
            self = .locked(locked)
        } else {
            self = .free
        }
    }
}

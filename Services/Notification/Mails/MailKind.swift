/// A moment of an order's life at which its customer is written to.
///
/// The raw value names the mail in the `mails` table and its templates' files.
enum MailKind: String, Sendable, CaseIterable {
    case confirmed, rejected, cancelled, refunded, dispatched
    case partlyCancelled = "partly-cancelled"
    case partlyRefunded = "partly-refunded"

    /// What a template of the mail may name.
    var names: Set<String> {
        let always: Set = ["customer", "order", "shop"]
        return switch self {
        case .confirmed: always.union(["total", "card", "deducted", "discount", "points"])
        case .rejected: always.union(["because", "late", "coupon", "points"])
        case .cancelled: always.union(["total", "because", "coupon", "points"])
        case .refunded: always.union(["total", "late"])
        case .dispatched: always.union(["tracking"])
        case .partlyCancelled: always.union(["items", "total", "refund", "points"])
        case .partlyRefunded: always.union(["total"])
        }
    }
}

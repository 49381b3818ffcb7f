/// How many mails one address gets within an hour: a pure value.
///
/// What was sent is known as long as the process lives, and in no table: addresses are kept nowhere.
struct RecipientLimit: Sendable {
    /// At most so many; 0: as many as there are.
    let most: Int
    /// By address, the times of its mails within the hour, in milliseconds since 1970.
    private var sent: [String: [Int64]] = [:]
    /// At how many addresses those are forgotten that have had no mail for an hour.
    private var sweep = 1_000

    static let span: Int64 = 3_600_000

    init(most: Int) { self.most = max(0, most) }

    /// How many addresses are known.
    var count: Int { sent.count }

    /// Takes one of the address's mails, unless there are none left.
    ///
    /// - Returns: nil where the mail may go; otherwise when the next may.
    mutating func take(_ address: String, at now: Int64) -> Int64? {
        guard most > 0 else { return nil }
        let key = address.lowercased()
        // Times that are still to come are of a clock that has been set back.
        var times = (sent[key] ?? []).filter { $0 > now - Self.span && $0 <= now }
        guard times.count < most else { return times[0] + Self.span }
        times.append(now)
        sent[key] = times
        if sent.count > sweep {
            sent = sent.filter { $0.value.contains { $0 > now - Self.span } }
            sweep = max(1_000, sent.count * 2)
        }
        return nil
    }

    /// Gives one back that was taken then: the server has not taken the mail.
    mutating func giveBack(_ address: String, takenAt time: Int64) {
        let key = address.lowercased()
        guard var times = sent[key], let place = times.lastIndex(of: time) else { return }
        times.remove(at: place)
        sent[key] = times.isEmpty ? nil : times
    }
}

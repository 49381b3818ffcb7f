/// How many bytes of events are held, and whether there is room for more: a pure value.
///
/// What is larger than all of it goes alone, so that nothing waits for ever.
struct ByteBudget {
    /// What is at work of one kind: what the forwarder has read and not yet forgotten, and the rows of the table.
    ///
    /// As much as a consumer's unsettled messages may have.
    static let atWork = ByteBudget(32 << 20)

    /// So many at most, one event that is larger aside.
    let most: Int
    /// So many are held.
    private(set) var used = 0

    init(_ most: Int) { self.most = most }

    /// Whether more than half of it is used up.
    var isHalfUsed: Bool { used > most / 2 }

    /// Whether there is room for so many more.
    func hasRoom(for size: Int) -> Bool { used == 0 || used + size <= most }

    /// Takes so many, whether there is room or not.
    mutating func add(_ size: Int) { used += size }

    /// Takes so many if there is room for them.
    mutating func take(_ size: Int) -> Bool {
        guard hasRoom(for: size) else { return false }
        used += size
        return true
    }

    /// So many are not held any more.
    mutating func giveBack(_ size: Int) { used -= size }
}
